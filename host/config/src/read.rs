//! Reads the entries of a configuration from the tree of a document. Each entry is read on its
//! own, so that an error in one hides no error in another.

mod draft;
mod sections;

use super::de;
use super::diagnostic::Position;
use super::document::{Document, Entry, Node, Value};
use super::entries::ComponentEntry;
use super::folders::resolved;
use super::limits::MAX_COMPONENTS;
use super::path::ConfigPath;
use super::source::Report;
use super::tasks::task_entries;
use super::values::PathText;
use hotbay_plugin_api::Role;

pub(super) use draft::{Draft, PipelineDraft};

/// The keys of a configuration.
pub(super) const SECTIONS: [&str; 9] = [
    "plugins",
    "channels",
    "pipeline",
    "tasks",
    "limits",
    "history",
    "reload",
    "state_folder",
    "shutdown",
];

/// Reads every entry that has no error.
pub(super) fn draft(document: &Document, report: &mut Report) -> Draft {
    let mut draft = Draft::default();
    if document.root.value == Value::Null {
        let help = "a configuration has at least `plugins: { folder: ./plugins }`";
        report.error(Position::START, "the file is empty", help);
        return draft;
    }
    let Some(entries) = de::section(&document.root, &SECTIONS, report) else { return draft };
    if !entries.iter().any(|(name, _)| *name == "plugins") {
        let help = "add `plugins: { folder: ./plugins }`";
        report.error(document.root.position, "the key `plugins` is missing", help);
    }
    for (name, Entry { key_position, node, .. }) in entries {
        let is_empty = node.value == Value::Null;
        match name {
            "plugins" => draft.plugins = sections::plugins(node, &document.file, report),
            "channels" if !is_empty => draft.channels = sections::channels(node, report),
            "pipeline" if !is_empty => {
                draft.pipeline = pipeline(node, report);
                if let Some(pipeline) = &mut draft.pipeline {
                    pipeline.key_position = *key_position;
                }
            }
            "tasks" if !is_empty => draft.tasks = task_entries(node, report),
            "history" if !is_empty => draft.history = de::read(node, report).unwrap_or_default(),
            "limits" if !is_empty => draft.limits = de::read(node, report).unwrap_or_default(),
            "reload" if !is_empty => draft.reload = de::read(node, report).unwrap_or_default(),
            "state_folder" if !is_empty => {
                let path = de::read::<PathText>(node, report);
                draft.state_folder = path.map(|path| resolved(&document.file, path.as_path()));
            }
            "shutdown" if !is_empty => draft.shutdown = de::read(node, report).unwrap_or_default(),
            _ => {}
        }
    }
    draft
}

/// Reads the pipeline's components, whatever their number for each role.
fn pipeline(node: &Node, report: &mut Report) -> Option<PipelineDraft> {
    let keys = ["time", "connectors", "aggregator", "strategies", "executors"];
    let entries = de::section(node, &keys, report)?;
    let mut pipeline = PipelineDraft::new(node.position);
    let path = ConfigPath::root().key("pipeline");
    let of = |key: &str| entries.iter().find(|(name, _)| *name == key).map(|(_, it)| &it.node);
    match of("time") {
        Some(time) => pipeline.time = de::read(time, report),
        None => {
            let help = "add `time: replay` for recorded events or `time: live` for the clock";
            report.error(node.position, "the pipeline's key `time` is missing", help);
        }
    }
    for role in Role::ALL {
        let path = path.key(role.key());
        match of(role.key()).map(|node| (node, &node.value)) {
            None | Some((_, Value::Null)) => {}
            Some((node, Value::Mapping(_))) if role == Role::Aggregator => {
                pipeline.add(role, node, component(role, node, path, report));
            }
            Some((node, Value::Sequence(items))) if items.len() > MAX_COMPONENTS => {
                pipeline.is_complete = false;
                pipeline.unreadable.push(role);
                report.too_many(node, role.key(), (items.len(), MAX_COMPONENTS));
            }
            Some((_, Value::Sequence(items))) => {
                for (index, item) in items.iter().enumerate() {
                    let component = component(role, item, path.index(index), report);
                    pipeline.add(role, item, component);
                }
            }
            Some((node, other)) => {
                pipeline.is_complete = false;
                pipeline.unreadable.push(role);
                let found = de::description(node);
                let message = format!("expected a list of components, found {found}");
                let help = "start each component with `- id: …`";
                if *other != Value::Broken {
                    report.error(node.position, message, help);
                }
            }
        }
    }
    Some(pipeline)
}

fn component(
    role: Role,
    node: &Node,
    location: ConfigPath,
    report: &mut Report,
) -> Option<ComponentEntry> {
    let entry: ComponentEntry = de::read(node, report)?;
    Some(ComponentEntry { role, location, ..entry })
}
