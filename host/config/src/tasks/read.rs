//! Reading the entries of tasks: a list, or a mapping from names to tasks.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::TaskEntry;
use crate::de;
use crate::document::{Node, Value};
use crate::limits::MAX_TASKS;
use crate::path::ConfigPath;
use crate::source::Report;
use crate::values::Name;
use crate::wording::shown;

/// The entries of tasks as a file has them, for the schema.
pub(crate) struct TaskEntries;

impl JsonSchema for TaskEntries {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Tasks".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let entry = generator.subschema_for::<TaskEntry>();
        let entry_or_nothing = generator.subschema_for::<Option<TaskEntry>>();
        json_schema!({
            "anyOf": [
                { "type": "array", "items": entry, "maxItems": MAX_TASKS },
                {
                    "type": "object",
                    "additionalProperties": entry_or_nothing,
                    "maxProperties": MAX_TASKS,
                },
            ],
            "x-value": format!(
                "a list of mappings, or names with mappings; at most {MAX_TASKS}"
            )
        })
    }
}

/// Reads the entries of a file's key `tasks`. Entries with an error are left out.
pub(crate) fn task_entries(node: &Node, report: &mut Report) -> Vec<TaskEntry> {
    let path = ConfigPath::root().key("tasks");
    let mut tasks = Vec::new();
    match &node.value {
        Value::Sequence(items) if items.len() <= MAX_TASKS => {
            for (index, item) in items.iter().enumerate() {
                tasks.extend(entry(item, path.index(index), None, report));
            }
        }
        Value::Mapping(entries) if entries.len() <= MAX_TASKS => {
            for (name, entry) in entries {
                match Name::refused(name) {
                    None => {
                        let location = path.key(name);
                        tasks.extend(self::entry(&entry.node, location, Some(name), report));
                    }
                    Some(expected) => {
                        let name = shown(name);
                        let message = format!("expected {expected}, found the string \"{name}\"");
                        report.error(entry.key_position, message, "name the task with its key");
                    }
                }
            }
        }
        Value::Sequence(items) => report.too_many(node, "tasks", (items.len(), MAX_TASKS)),
        Value::Mapping(entries) => report.too_many(node, "tasks", (entries.len(), MAX_TASKS)),
        Value::Broken => {}
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {
            let found = de::description(node);
            let message = format!("expected a list of tasks, found {found}");
            report.error(node.position, message, "start each with `- name: …`");
        }
    }
    tasks
}

/// Reads one entry, which has its name from the key of a mapping, or has a key for it.
fn entry(
    node: &Node,
    location: ConfigPath,
    key: Option<&String>,
    report: &mut Report,
) -> Option<TaskEntry> {
    if key.is_some() && node.value == Value::Null {
        return None;
    }
    let entry = de::read::<TaskEntry>(node, report)?;
    let entry = TaskEntry { location, ..entry };
    let mut is_right = true;
    let mut wrong = |key: &str, message: String, help: &str| {
        is_right = false;
        let at = node.get(key).map_or(node.position, |value| value.position);
        report.error(at, message, help);
    };
    match (key, &entry.name, &entry.task) {
        // The name may be the value that has an error.
        (None, None, None) if node.is_broken() => return None,
        (None, None, None) => {
            wrong("name", "the key `name` is missing".to_owned(), "add it here");
        }
        (Some(key), Some(_), _) | (Some(key), _, Some(_)) => {
            let surplus = if entry.name.is_some() { "name" } else { "task" };
            let message = format!("the task is named by its key already, `{}`", shown(key));
            wrong(surplus, message, &format!("leave `{surplus}` out"));
        }
        (None, Some(_), Some(_)) => {
            wrong("task", "`task` is the same as `name`".to_owned(), "leave one of them out");
        }
        (Some(_), None, None) | (None, Some(_), None) | (None, None, Some(_)) => {}
    }
    let schedules = [
        ("schedule", entry.schedule.is_some()),
        ("interval", entry.interval.is_some()),
        ("interval_seconds", entry.interval_seconds.is_some()),
    ];
    let delays = [
        ("retry_delay", entry.retry_delay.is_some()),
        ("retry_delay_seconds", entry.retry_delay_seconds.is_some()),
    ];
    for choices in [&schedules[..], &delays] {
        let mut given = choices.iter().filter(|(_, is_there)| *is_there);
        if let (Some((first, _)), Some((second, _))) = (given.next(), given.next()) {
            let message = format!("an entry has either `{first}` or `{second}`");
            wrong(second, message, "leave one of them out");
        }
    }
    if entry.alert_on_failure == Some(false) && entry.alert_after.is_some() {
        let message = "`alert_after` has no effect with `alert_on_failure: false`".to_owned();
        wrong("alert_after", message, "leave one of them out");
    }
    is_right.then(|| TaskEntry { name: key.cloned().or(entry.name), ..entry })
}
