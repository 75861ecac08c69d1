//! Rules that concern several entries.

mod cycles;

use std::collections::{BTreeSet, HashMap, HashSet};

use super::document::Document;
use super::entries::ComponentEntry;
use super::path::ConfigPath;
use super::read::{Draft, PipelineDraft};
use super::source::Report;
use super::wording::{closest, listed};
use hotbay_plugin_api::Role;
use indexmap::IndexSet;

/// Adds to the report the contradictions between entries.
pub(super) fn check(draft: &Draft, document: &Document, report: &mut Report) {
    tasks(draft, document, report);
    let Some(pipeline) = &draft.pipeline else { return };
    let has_all_roles = roles(pipeline, report);
    ids(&pipeline.components, document, report);
    let declared: IndexSet<_> = draft.channels.iter().map(|(name, _)| name.as_str()).collect();
    for component in &pipeline.components {
        channels_exist(component, &declared, document, report);
    }
    cycles::cycles(&pipeline.components, document, report);
    // An entry that is missing or has an error may use any channel.
    if pipeline.is_complete && has_all_roles {
        unused_channels(draft, &pipeline.components, document, report);
        unwired(&pipeline.components, document, report);
    }
}

fn tasks(draft: &Draft, document: &Document, report: &mut Report) {
    let mut seen = HashSet::new();
    for entry in &draft.tasks {
        let (plugin, task) = entry.target();
        if !seen.insert((plugin, task)) {
            let at = document.position(&entry.name_path());
            let task = report.shown(task);
            let of = plugin.map(|plugin| format!(" of `{}`", report.shown(plugin)));
            let message =
                format!("the task `{task}`{} is already adjusted", of.unwrap_or_default());
            report.error(at, message, "leave one of the two entries");
        }
    }
}

/// Checks the number of entries of each role. Returns `true` if no role is missing.
fn roles(pipeline: &PipelineDraft, report: &mut Report) -> bool {
    let mut has_all = true;
    for role in Role::ALL {
        let mut places = Vec::new();
        places.extend(pipeline.places.iter().filter(|(it, _)| *it == role).map(|(_, at)| *at));
        let (name, key) = (role.name(), role.key());
        match (places.as_slice(), role) {
            ([], _) if !pipeline.unreadable.contains(&role) => {
                has_all = false;
                let count = if role == Role::Aggregator { "one" } else { "at least one" };
                let message = format!("the pipeline has no {name}");
                report.error(pipeline.key_position, message, format!("add {count} under `{key}:`"));
            }
            ([others @ .., last], Role::Aggregator) if !others.is_empty() => {
                let (count, first, last) = (places.len(), others[0].line, last.line);
                let to = if count == 2 { "and" } else { "to" };
                let message =
                    format!("the pipeline has {count} aggregators (lines {first} {to} {last})");
                report.error(places[1], message, "it takes exactly one");
            }
            _ => {}
        }
    }
    has_all
}

fn ids(components: &[ComponentEntry], document: &Document, report: &mut Report) {
    let mut first: HashMap<&str, &ComponentEntry> = HashMap::new();
    for component in components {
        if let Some(other) = first.insert(&component.id, component) {
            let line = document.position(&other.location.key("id")).line;
            let id = report.shown(&component.id);
            let message = format!("the id `{id}` is already used on line {line}");
            let at = document.position(&component.location.key("id"));
            report.error(at, message, "give each component its own");
        }
    }
}

fn channels_exist(
    component: &ComponentEntry,
    declared: &IndexSet<&str>,
    document: &Document,
    report: &mut Report,
) {
    for (key, ports) in [("inputs", &component.inputs), ("outputs", &component.outputs)] {
        let mut seen = HashSet::new();
        for used in ports.uses() {
            let is_declared = declared.contains(used.channel);
            if is_declared && seen.insert((used.port, used.channel)) {
                continue;
            }
            if report.is_full() {
                report.leave_out(1);
                continue;
            }
            let at = document.position(&used.path(&component.location.key(key)));
            let channel = report.shown(used.channel);
            if is_declared {
                let message = format!("the channel `{channel}` stands twice at this port");
                report.error(at, message, "leave one of the two");
            } else {
                let message = format!("no channel is named `{channel}`");
                report.error(at, message, declare(used.channel, declared));
            }
        }
    }
}

fn declare(channel: &str, declared: &IndexSet<&str>) -> String {
    match closest(channel, declared.iter().copied()) {
        Some(likely) => format!("did you mean `{likely}`? declared are {}", listed(declared)),
        None if declared.is_empty() => "declare it under `channels:`".into(),
        None => format!("declare it under `channels:`; declared are {}", listed(declared)),
    }
}

fn unused_channels(
    draft: &Draft,
    components: &[ComponentEntry],
    document: &Document,
    report: &mut Report,
) {
    let read: BTreeSet<_> = components.iter().flat_map(|it| it.inputs.channels()).collect();
    let written: BTreeSet<_> = components.iter().flat_map(|it| it.outputs.channels()).collect();
    for (name, _) in &draft.channels {
        let at = document.key_position(&ConfigPath::root().key("channels").key(name));
        let name = name.as_str();
        match (read.contains(name), written.contains(name)) {
            (true, false) => report.warning(
                at,
                format!("the channel `{name}` is read and no component writes to it"),
                "put it into the `outputs` of a component",
            ),
            (false, false) => report.warning(
                at,
                format!("the channel `{name}` is used by no component"),
                "leave it out, unless a task uses it",
            ),
            (_, true) => {}
        }
    }
}

fn unwired(components: &[ComponentEntry], document: &Document, report: &mut Report) {
    for component in components {
        let reads = component.role != Role::Connector;
        let writes = component.role != Role::Executor;
        let at = document.position(&component.location);
        let title = format!("the {} `{}`", component.role.name(), component.id);
        if reads && component.inputs.is_empty() {
            report.warning(at, format!("{title} has no inputs"), "it gets no event like this");
        }
        if writes && component.outputs.is_empty() {
            let message = format!("{title} has no outputs");
            report.warning(at, message, "nobody gets its events like this");
        }
    }
}
