//! What a running host can't take over.

use crate::config::{Config, ConfigPath, Diagnostics};

/// What can't be changed while the host runs.
pub(super) fn needs_restart(old: &Config, new: &Config, findings: &mut Diagnostics) {
    let mut fixed = |path: ConfigPath, what: &str| {
        let message = format!("{what} can't be changed while the host runs");
        findings
            .push(new.error_at(&path, message).with_help("change it back, or restart the host"));
    };
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
    for (name, channel) in &new.channels {
        let known = old.channels.iter().find(|(known, _)| known == name);
        if known.is_some_and(|(_, known)| known != channel) {
            fixed(root().key("channels").key(name), &format!("channel `{name}`"));
        }
    }
}
