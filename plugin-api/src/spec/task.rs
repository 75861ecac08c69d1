//! What a task is and when it runs.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{
    Backoff, Misfire, Overlap, Priority, Schedule,
    fields::Fields,
    millis::{self, Millis},
};

/// Whether a function is async or occupies a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FunctionKind {
    /// An async function.
    Async,
    /// A function that computes or blocks: it runs on the plugin's blocking pool.
    Sync,
}

/// One task of a plugin: what it is, when it runs, and within which limits.
///
/// A host reads every field that it understands. A field that it does not know, or whose
/// value it can't read, is kept in [`not_understood`](Self::not_understood), and the host
/// must refuse the task with the field's name; except if the field can have no effect:
///
/// * its value is `null`, `false`, `0`, or an empty text, list or object. A field that a
///   later SDK adds must mean by such a value, and by its absence, what hosts did before; or
/// * its name begins with `x-`. Such fields are notes for tools, and never change what a
///   host does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskSpec {
    /// The task's name, unique in its plugin.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// Whether its function is async or occupies a thread.
    pub function: FunctionKind,
    /// When its runs begin.
    pub schedule: Schedule<String>,
    /// How urgent it is beside others that are due.
    pub priority: Priority,
    /// Tasks of the same plugin that must have succeeded before a run begins.
    pub depends_on: Vec<String>,
    /// How often a run is tried before it counts as failed; at least 1.
    pub attempts: u32,
    /// How long to wait before the second attempt.
    #[serde(rename = "retry_delay_ms", with = "millis")]
    pub retry_delay: Duration,
    /// How the delay grows with further attempts.
    pub backoff: Backoff,
    /// How long one attempt may take; `None` for any time.
    #[serde(rename = "timeout_ms", serialize_with = "millis::serialize_option")]
    pub timeout: Option<Duration>,
    /// What happens if a run is due while another is under way.
    pub overlap: Overlap,
    /// What happens to runs that were due while the host could not begin them.
    pub misfire: Misfire,
    /// The longest delay by which starts are spread, so that tasks of one schedule do not
    /// all begin at once.
    #[serde(rename = "jitter_ms", with = "millis")]
    pub jitter: Duration,
    /// After how many failed runs in a row somebody is alerted; `None` for never.
    pub alert_after: Option<u32>,
    /// The JSON Schema of its arguments; `null` if it takes none.
    pub arguments: Value,
    /// Whether it runs unless the configuration switches it on or off.
    pub enabled: bool,
    /// Fields that this host does not understand and that may change what it ought to do.
    #[serde(flatten)]
    pub not_understood: Map<String, Value>,
}

impl TaskSpec {
    /// A task of this name that runs once, at start, and asks for nothing else.
    pub fn new(name: impl Into<String>, function: FunctionKind) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            function,
            schedule: Schedule::AtStart,
            priority: Priority::NORMAL,
            depends_on: Vec::new(),
            attempts: 1,
            retry_delay: Duration::ZERO,
            backoff: Backoff::Constant,
            timeout: None,
            overlap: Overlap::Skip,
            misfire: Misfire::Skip,
            jitter: Duration::ZERO,
            alert_after: None,
            arguments: Value::Null,
            enabled: true,
            not_understood: Map::new(),
        }
    }
}

impl<'de> Deserialize<'de> for TaskSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields(Map::deserialize(deserializer)?);
        let name: String = fields.required("name")?;
        let plain = Self::new(name, fields.required("function")?);
        Ok(Self {
            description: fields.take("description", plain.description),
            schedule: fields.take("schedule", plain.schedule),
            priority: fields.take("priority", plain.priority),
            depends_on: fields.take("depends_on", plain.depends_on),
            attempts: fields.take("attempts", plain.attempts),
            retry_delay: fields.take("retry_delay_ms", Millis::default()).0,
            backoff: fields.take("backoff", plain.backoff),
            timeout: fields.take::<Option<Millis>>("timeout_ms", None).map(|limit| limit.0),
            overlap: fields.take("overlap", plain.overlap),
            misfire: fields.take("misfire", plain.misfire),
            jitter: fields.take("jitter_ms", Millis::default()).0,
            alert_after: fields.take("alert_after", plain.alert_after),
            arguments: fields.take("arguments", plain.arguments),
            enabled: fields.take("enabled", plain.enabled),
            not_understood: fields.with_effect(),
            ..plain
        })
    }
}

#[cfg(test)]
mod tests;
