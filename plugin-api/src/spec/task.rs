//! What a task is and when it runs.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{
    Backoff, Durability, Misfire, OnDependencyFailure, Overlap, Priority, Schedule,
    fields::{Fields, is_default},
    millis::{self, Millis},
};

/// The kind of a function: async, or sync on a thread of its own.
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
/// * its name begins with `x-`. Such fields are notes for tools, or allow for a check, as that of
///   the settings. They never change what a run does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskSpec {
    /// The task's name, unique in its plugin.
    pub name: String,
    /// A description of the task in one line.
    pub description: String,
    /// The kind of the task's function.
    pub function: FunctionKind,
    /// The schedule, which tells when the task's runs begin.
    pub schedule: Schedule<String>,
    /// No run is due by the schedule before this moment, which is written as that of
    /// [`Schedule::OnceAt`]. An interval is counted from it.
    pub starts_at: Option<String>,
    /// No run is due by the schedule after this moment.
    pub ends_at: Option<String>,
    /// The priority among tasks that are due at the same time.
    pub priority: Priority,
    /// Tasks that must have succeeded before a run begins: names of this plugin, or `plugin/task`.
    pub depends_on: Vec<String>,
    /// What becomes of a run if a task of `depends_on` did not succeed.
    #[serde(skip_serializing_if = "is_default")]
    pub on_dependency_failure: OnDependencyFailure,
    /// The number of attempts after which a run has failed; at least 1.
    pub attempts: u32,
    /// The delay before the second attempt.
    #[serde(rename = "retry_delay_ms", with = "millis")]
    pub retry_delay: Duration,
    /// The growth of the delay with further attempts.
    pub backoff: Backoff,
    /// The time limit of one attempt; `None` for no limit.
    #[serde(rename = "timeout_ms", serialize_with = "millis::serialize_option")]
    pub timeout: Option<Duration>,
    /// What happens if a run is due while another is under way.
    pub overlap: Overlap,
    /// The most runs that are under way at once, if runs may overlap; `None` for any number.
    pub at_once: Option<u32>,
    /// The concurrency key: of the runs of all tasks with the same key, the host lets only so many be
    /// under way at once as its configuration says, one by default.
    pub key: Option<String>,
    /// The shortest time between two starts of the task's runs; zero for none.
    #[serde(rename = "min_start_interval_ms", with = "millis")]
    pub min_start_interval: Duration,
    /// What happens to runs that were due while the host could not begin them.
    pub misfire: Misfire,
    /// How late a run may begin that was due while the host could not begin it; `None` for any delay.
    /// The time that a run waits because the host is busy does not count.
    #[serde(rename = "misfire_grace_ms", serialize_with = "millis::serialize_option")]
    pub misfire_grace: Option<Duration>,
    /// The longest delay by which starts are spread, so that tasks of one schedule do not
    /// all begin at once.
    #[serde(rename = "jitter_ms", with = "millis")]
    pub jitter: Duration,
    /// What is kept of the runs across restarts of the host.
    #[serde(skip_serializing_if = "is_default")]
    pub durability: Durability,
    /// After how many failed runs in a row somebody is alerted; `None` for never.
    pub alert_after: Option<u32>,
    /// The JSON Schema of its arguments; `null` if it takes none.
    pub arguments: Value,
    /// The JSON Schema of its settings; `null` if they are not known. A host that finds a schema
    /// has the plugin check the settings, under the name that [`TaskSpec::settings_name`] gives.
    #[serde(rename = "x-settings", skip_serializing_if = "Value::is_null")]
    pub settings: Value,
    /// The task runs by default. The configuration can enable or disable it.
    pub enabled: bool,
    /// Fields that this host does not understand and that may change what it ought to do.
    #[serde(flatten)]
    pub not_understood: Map<String, Value>,
}

impl TaskSpec {
    /// Makes the spec of a task that runs once, at start, with the default of every other field.
    pub fn new(name: impl Into<String>, function: FunctionKind) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            function,
            schedule: Schedule::AtStart,
            starts_at: None,
            ends_at: None,
            priority: Priority::NORMAL,
            depends_on: Vec::new(),
            on_dependency_failure: OnDependencyFailure::Skip,
            attempts: 1,
            retry_delay: Duration::ZERO,
            backoff: Backoff::Constant,
            timeout: None,
            overlap: Overlap::Skip,
            at_once: None,
            key: None,
            min_start_interval: Duration::ZERO,
            misfire: Misfire::Once,
            misfire_grace: None,
            jitter: Duration::ZERO,
            durability: Durability::Fsync,
            alert_after: None,
            arguments: Value::Null,
            settings: Value::Null,
            enabled: true,
            not_understood: Map::new(),
        }
    }
}

impl TaskSpec {
    /// Returns the name of a task where a function of a plugin takes the name of a component. No
    /// component has such a name.
    pub fn settings_name(task: &str) -> String {
        format!("task/{task}")
    }
}

impl<'de> Deserialize<'de> for TaskSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields(Map::deserialize(deserializer)?);
        let name: String = fields.required("name")?;
        let plain = Self::new(name, fields.required("function")?);
        let span =
            |fields: &mut Fields, name| fields.take::<Option<Millis>>(name, None).map(|it| it.0);
        Ok(Self {
            description: fields.take("description", plain.description),
            schedule: fields.take("schedule", plain.schedule),
            starts_at: fields.take("starts_at", plain.starts_at),
            ends_at: fields.take("ends_at", plain.ends_at),
            priority: fields.take("priority", plain.priority),
            depends_on: fields.take("depends_on", plain.depends_on),
            on_dependency_failure: fields
                .take("on_dependency_failure", plain.on_dependency_failure),
            attempts: fields.take("attempts", plain.attempts),
            retry_delay: fields.take("retry_delay_ms", Millis::default()).0,
            backoff: fields.take("backoff", plain.backoff),
            timeout: span(&mut fields, "timeout_ms"),
            overlap: fields.take("overlap", plain.overlap),
            at_once: fields.take("at_once", plain.at_once),
            key: fields.take("key", plain.key),
            min_start_interval: fields.take("min_start_interval_ms", Millis::default()).0,
            misfire: fields.take("misfire", plain.misfire),
            misfire_grace: span(&mut fields, "misfire_grace_ms"),
            jitter: fields.take("jitter_ms", Millis::default()).0,
            durability: fields.take("durability", plain.durability),
            alert_after: fields.take("alert_after", plain.alert_after),
            arguments: fields.take("arguments", plain.arguments),
            settings: fields.take("x-settings", plain.settings),
            enabled: fields.take("enabled", plain.enabled),
            not_understood: fields.with_effect(),
            ..plain
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> TaskSpec {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_spec_with_a_name_and_a_function_runs_once_at_start() {
        let spec = read(json!({ "name": "a", "function": "sync" }));
        assert_eq!(spec, TaskSpec::new("a", FunctionKind::Sync));
    }

    #[test]
    fn every_field_comes_back_as_it_was_written() {
        let seconds = Duration::from_secs;
        let spec = TaskSpec {
            description: "nightly".to_owned(),
            schedule: Schedule::Cron {
                expression: "0 3 * * *".into(),
                zone: "Europe/Paris".into(),
            },
            starts_at: Some("2026-01-01T00:00:00Z".to_owned()),
            ends_at: Some("2027-01-01T00:00:00[Europe/Paris]".to_owned()),
            priority: Priority(7),
            depends_on: vec!["b".to_owned()],
            on_dependency_failure: OnDependencyFailure::Fail,
            attempts: 3,
            retry_delay: seconds(1),
            backoff: Backoff::Exponential { cap: seconds(60) },
            timeout: Some(seconds(2)),
            overlap: Overlap::Allow,
            at_once: Some(4),
            key: Some("disk".to_owned()),
            min_start_interval: seconds(3),
            misfire: Misfire::All { cap: 5 },
            misfire_grace: Some(seconds(600)),
            jitter: seconds(10),
            durability: Durability::Memory,
            alert_after: Some(2),
            arguments: json!({ "type": "object" }),
            settings: json!({ "type": "object" }),
            enabled: false,
            ..TaskSpec::new("a", FunctionKind::Async)
        };
        let json = serde_json::to_value(&spec).unwrap();
        assert_eq!(read(json), spec);
    }

    /// A host that does not know a field runs the task, if the field says what hosts did before.
    #[test]
    fn a_task_that_asks_for_nothing_new_has_no_field_of_effect_that_an_older_host_does_not_know() {
        let json = serde_json::to_value(TaskSpec::new("a", FunctionKind::Async)).unwrap();
        let Value::Object(mut fields) = json else { panic!("{json}") };
        for known in [
            "name",
            "description",
            "function",
            "schedule",
            "priority",
            "depends_on",
            "attempts",
            "retry_delay_ms",
            "backoff",
            "timeout_ms",
            "overlap",
            "misfire",
            "jitter_ms",
            "alert_after",
            "arguments",
            "enabled",
        ] {
            fields.remove(known);
        }
        assert!(Fields(fields.clone()).with_effect().is_empty(), "{fields:?}");
    }

    #[test]
    fn durations_cross_as_milliseconds_under_names_that_say_so() {
        let spec = TaskSpec {
            schedule: Schedule::Every(Duration::from_secs(60)),
            timeout: Some(Duration::from_secs(2)),
            ..TaskSpec::new("a", FunctionKind::Async)
        };
        let json = serde_json::to_value(&spec).unwrap();
        assert_eq!(json["schedule"], json!({ "every_ms": 60_000 }));
        assert_eq!(json["timeout_ms"], json!(2_000));
    }

    #[test]
    fn a_field_of_a_later_sdk_is_kept_by_name_unless_it_can_have_no_effect() {
        let spec = read(json!({
            "name": "a", "function": "async",
            "patience_ms": 500,
            "x-icon": "moon",
            "region": "", "exclusive": false, "weight": 0, "labels": [], "limits": {},
            "owner": null,
        }));
        assert_eq!(spec.not_understood.keys().collect::<Vec<_>>(), ["patience_ms"]);
    }

    #[test]
    fn a_value_of_a_later_sdk_is_kept_under_its_fields_name() {
        let spec = read(json!({
            "name": "a", "function": "async",
            "schedule": { "on_tide": "high" },
            "overlap": "merge",
            "misfire": { "all": { "cap": 2, "newest": true } },
            "attempts": 2,
        }));
        let mut names: Vec<_> = spec.not_understood.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["misfire", "overlap", "schedule"]);
        assert_eq!(spec.attempts, 2);
    }

    #[test]
    fn a_spec_without_a_name_or_of_an_unknown_function_is_no_spec() {
        for json in [json!({ "function": "async" }), json!({ "name": "a", "function": "quantum" })]
        {
            assert!(serde_json::from_value::<TaskSpec>(json).is_err());
        }
    }

    #[test]
    fn a_task_kind_of_a_later_sdk_keeps_what_this_host_does_not_understand() {
        let json = json!({ "name": "a", "function": "sync", "timeout_ms": 5, "x-icon": "moon" });
        let kind: crate::spec::TaskKindSpec = serde_json::from_value(json).unwrap();
        assert_eq!(kind.not_understood.keys().collect::<Vec<_>>(), ["timeout_ms"]);
    }
}
