//! The sections other than the pipeline.

use std::path::Path;

use crate::de;
use crate::document::{Node, Value};
use crate::entries::{ChannelEntry, Plugins};
use crate::folders::resolved;
use crate::limits::MAX_CHANNELS;
use crate::source::Report;

pub(super) fn plugins(node: &Node, file: &Path, report: &mut Report) -> Option<Plugins> {
    let mut plugins: Plugins = de::read(node, report)?;
    plugins.folder = resolved(file, &plugins.folder);
    plugins.trust.resolve(file);
    Some(plugins)
}

/// Reads the declared channels. The declaration is `None` if it has an error.
pub(super) fn channels(node: &Node, report: &mut Report) -> Vec<(String, Option<ChannelEntry>)> {
    let Value::Mapping(entries) = &node.value else {
        let found = de::description(node);
        let help = "declare each as `NAME: { capacity: 1024 }`";
        report.error(node.position, format!("expected a mapping of channels, found {found}"), help);
        return Vec::new();
    };
    if entries.len() > MAX_CHANNELS {
        report.too_many(node, "channels", (entries.len(), MAX_CHANNELS));
        return Vec::new();
    }
    let mut channels = Vec::with_capacity(entries.len());
    for (name, entry) in entries {
        let config: Option<ChannelEntry> = de::read(&entry.node, report);
        if name.trim().is_empty() {
            report.error(entry.key_position, "a channel has to have a name", "");
        }
        channels.push((name.clone(), config));
    }
    channels
}
