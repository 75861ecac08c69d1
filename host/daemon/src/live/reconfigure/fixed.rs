//! What a running host can't take over.

use hotbay_config::{Config, ConfigPath, Diagnostics};

/// What can't be changed while the host runs.
pub(super) fn needs_restart(old: &Config, new: &Config, findings: &mut Diagnostics) {
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

/// Says that something is as it was when the host began.
pub(super) fn fixed(config: &Config, path: &ConfigPath, what: &str, findings: &mut Diagnostics) {
    let finding = config.error_at(path, format!("{what} can't be changed while the host runs"));
    findings.push(finding.with_help("change it back, or restart the host"));
}
