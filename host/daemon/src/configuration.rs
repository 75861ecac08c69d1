//! The source of the configuration, and the parts that cannot change while the host runs.

use std::{fmt, path::PathBuf, sync::Arc};

use hotbay_config::{Config, ConfigPath, Diagnostics};
use hotbay_runtime::Services;

/// Where the configuration is read from.
#[derive(Clone)]
pub(crate) struct ConfigSource {
    /// The file, which is watched.
    pub(crate) file: PathBuf,
    /// Reads the configuration again.
    pub(crate) read: Arc<dyn Fn() -> Result<Config, Diagnostics> + Send + Sync>,
}

impl fmt::Debug for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigSource").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Reports changes that need a restart of the host.
pub(crate) fn needs_restart(old: &Config, new: &Config, findings: &mut Diagnostics) {
    let mut fixed = |path: ConfigPath, what: &str| fixed(new, &path, what, findings);
    let root = ConfigPath::root;
    if old.plugins.folder != new.plugins.folder {
        fixed(root().key("plugins").key("folder"), "the plugins folder");
    }
    if old.plugins.probe_timeout != new.plugins.probe_timeout {
        fixed(root().key("plugins").key("probe_timeout"), "the probe's time limit");
    }
    if old.reload.watch != new.reload.watch {
        fixed(root().key("reload").key("watch"), "whether changes are followed");
    }
    if old.pipeline.as_ref().map(|it| it.time) != new.pipeline.as_ref().map(|it| it.time) {
        fixed(
            root().key("pipeline"),
            "whether there is a pipeline, and where its time comes from,",
        );
    }
}

/// Reports channels that this host has declared with other settings, even if the last configuration
/// did not name them: a channel stays once it is declared.
pub(crate) fn check_channels(config: &Config, services: &Services, findings: &mut Diagnostics) {
    for (name, channel) in &config.channels {
        let known = services.bus.clone_sender(&name.as_str().into());
        if known
            .is_ok_and(|it| *it.config() != channel.config() || it.overflow() != channel.overflow)
        {
            let path = ConfigPath::root().key("channels").key(name);
            fixed(config, &path, &format!("channel `{name}`"), findings);
        }
    }
}

/// Reports a change of something that cannot change.
fn fixed(config: &Config, path: &ConfigPath, what: &str, findings: &mut Diagnostics) {
    let finding = config.error_at(path, format!("{what} can't be changed while the host runs"));
    findings.push(finding.with_help("change it back, or restart the host"));
}
