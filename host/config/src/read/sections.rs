//! The sections other than the pipeline.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::values::{LongerThanZero, Name, Settings, Span};
use crate::de;
use crate::document::{Node, Value};
use crate::entries::{ChannelEntry, Plugins, Reload, Shutdown, TaskEntry};
use crate::folders::base_dir;
use crate::path::ConfigPath;
use crate::source::Report;
use crate::trust;
use crate::wording;

pub(super) fn plugins(node: &Node, file: &Path, report: &mut Report) -> Option<Plugins> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        folder: Name,
        settings: Option<BTreeMap<String, Settings>>,
        probe_timeout: Option<LongerThanZero>,
        #[serde(default)]
        trust: trust::Written,
    }
    let written: Written = de::read(node, report)?;
    let settings = written.settings.unwrap_or_default();
    Some(Plugins {
        folder: base_dir(file).join(written.folder.0),
        trust: written.trust.into_trust(file),
        settings: settings.into_iter().map(|(plugin, it)| (plugin, it.into())).collect(),
        probe_timeout: written.probe_timeout.map_or(Plugins::DEFAULT_PROBE_TIMEOUT, |it| it.0),
    })
}

/// Reads the declared channels. The declaration is `None` if it has an error.
pub(super) fn channels(node: &Node, report: &mut Report) -> Vec<(String, Option<ChannelEntry>)> {
    let Value::Mapping(entries) = &node.value else {
        let found = wording::found(&de::kind(&node.value));
        let help = "declare each as `NAME: { capacity: 1024 }`";
        report.error(node.position, format!("expected a mapping of channels, found {found}"), help);
        return Vec::new();
    };
    let mut channels = Vec::with_capacity(entries.len());
    for entry in entries {
        let config: Option<ChannelEntry> = de::read(&entry.node, report);
        if entry.key.trim().is_empty() {
            report.error(entry.key_position, "a channel has to have a name", "");
        }
        channels.push((entry.key.clone(), config));
    }
    channels
}

pub(super) fn tasks(node: &Node, report: &mut Report) -> Vec<TaskEntry> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        plugin: Name,
        task: Name,
        enabled: Option<bool>,
        interval: Option<LongerThanZero>,
        #[serde(default)]
        config: Settings,
    }
    let Value::Sequence(items) = &node.value else {
        let found = wording::found(&de::kind(&node.value));
        let help = "start each with `- plugin: …`";
        report.error(node.position, format!("expected a list of tasks, found {found}"), help);
        return Vec::new();
    };
    let mut tasks = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let Some(written) = de::read::<Written>(item, report) else { continue };
        tasks.push(TaskEntry {
            plugin: written.plugin.0,
            task: written.task.0,
            enabled: written.enabled,
            interval: written.interval.map(|it| it.0),
            config: written.config.into(),
            location: ConfigPath::root().key("tasks").index(index),
        });
    }
    tasks
}

pub(super) fn reload(node: &Node, report: &mut Report) -> Reload {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        watch: Option<bool>,
        settle: Option<Span>,
        hold: Option<LongerThanZero>,
        initialize: Option<LongerThanZero>,
        probation: Option<Span>,
        leaks: Option<usize>,
    }
    let usual = Reload::default();
    let Some(written) = de::read::<Written>(node, report) else { return usual };
    Reload {
        watch: written.watch,
        settle: written.settle.map_or(usual.settle, |it| it.0),
        hold: written.hold.map_or(usual.hold, |it| it.0),
        initialize: written.initialize.map_or(usual.initialize, |it| it.0),
        probation: written.probation.map_or(usual.probation, |it| it.0),
        leaks: written.leaks.unwrap_or(usual.leaks),
    }
}

pub(super) fn shutdown(node: &Node, report: &mut Report) -> Shutdown {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        drain: Option<Span>,
    }
    let drain = de::read::<Written>(node, report).and_then(|written| written.drain);
    drain.map_or_else(Shutdown::default, |drain| Shutdown { drain: drain.0 })
}
