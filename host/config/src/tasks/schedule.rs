//! When the runs of a task begin, as a file says it.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error, IntoDeserializer, MapAccess, Unexpected, Visitor};

use super::{Interval, Seconds};
use crate::values::Name;
use crate::wording::listed;

/// When the runs of a task begin. Times and cron expressions are as they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleEntry {
    /// What makes the task run.
    pub trigger: TriggerEntry,
    /// The name of the time zone in which local times are meant.
    pub timezone: Option<String>,
    /// No run is due before this time.
    pub start: Option<String>,
    /// No run is due after this time.
    pub end: Option<String>,
}

/// What makes a task run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TriggerEntry {
    /// The task runs once when its plugin comes into service.
    AtStart,
    /// The task runs each time that all tasks on which it depends have succeeded anew.
    AfterDependencies,
    /// The task runs only when a run is requested.
    Manual,
    /// The task runs each time that this duration has passed since its last start.
    Every(Duration),
    /// The task runs at each time that matches this cron expression.
    Cron(String),
    /// The task runs once, at this time.
    At(String),
    /// The task runs for each event of this channel.
    Event(String),
}

impl From<TriggerEntry> for ScheduleEntry {
    fn from(trigger: TriggerEntry) -> Self {
        Self { trigger, timezone: None, start: None, end: None }
    }
}

/// When runs begin. It has one of the keys `every`, `interval_seconds`, `cron`, `at` and `event`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ScheduleMapping")]
struct Written {
    /// The time from one start to the next.
    #[serde(default, deserialize_with = "Interval::option")]
    #[schemars(with = "Option<Interval>")]
    every: Option<Duration>,
    /// The time from one start to the next in seconds, instead of `every`.
    #[serde(default, deserialize_with = "Seconds::some")]
    #[schemars(with = "Option<Seconds>")]
    interval_seconds: Option<usize>,
    /// A cron expression of five fields (minute, hour, day of the month, month, weekday), six with
    /// seconds first, or seven with a year last; or a nickname, such as `@hourly`.
    #[serde(default, deserialize_with = "Name::option")]
    #[schemars(with = "Option<Name>")]
    cron: Option<String>,
    /// One time, such as `2026-12-24T18:00:00Z`, or `2026-12-24 18:00` with a `timezone`. A local
    /// time that the clock skips is as much later as the clock is set forward; of one that the clock
    /// shows twice, the first is meant. A time that is past when the task is defined is not made up
    /// for.
    #[serde(default, deserialize_with = "Name::option")]
    #[schemars(with = "Option<Name>")]
    at: Option<String>,
    /// A channel. The task runs for each of its events. The argument `event` of the run has the
    /// `channel`, `time_ns`, `source`, `seq` and `kind` of the event, and its payload as `text`, or in
    /// hexadecimal as `bytes`. With `overlap: skip`, events during a run have no run. The
    /// history of the task has a record of events without a run, once in a minute at most, with their
    /// number.
    #[serde(default, deserialize_with = "Name::option")]
    #[schemars(with = "Option<Name>")]
    event: Option<String>,
    /// The IANA time zone in which a cron expression and local times are meant, such as
    /// `Europe/Berlin`. Without it, cron expressions are meant in UTC.
    #[serde(default, deserialize_with = "Name::option")]
    #[schemars(with = "Option<Name>")]
    timezone: Option<String>,
    /// No run is due before this time, which is written as `at`. An interval is counted from it.
    #[serde(default, deserialize_with = "Name::option")]
    #[schemars(with = "Option<Name>")]
    start: Option<String>,
    /// No run is due after this time, which is written as `at`.
    #[serde(default, deserialize_with = "Name::option")]
    #[schemars(with = "Option<Name>")]
    end: Option<String>,
}

impl Written {
    fn trigger(&self) -> Result<TriggerEntry, String> {
        let seconds = self.interval_seconds.map(|it| Duration::from_secs(it as u64));
        let text = |text: &Option<String>, of: fn(String) -> TriggerEntry| text.clone().map(of);
        let triggers = [
            ("every", self.every.map(TriggerEntry::Every)),
            ("interval_seconds", seconds.map(TriggerEntry::Every)),
            ("cron", text(&self.cron, TriggerEntry::Cron)),
            ("at", text(&self.at, TriggerEntry::At)),
            ("event", text(&self.event, TriggerEntry::Event)),
        ];
        let keys = listed(triggers.iter().map(|(key, _)| *key));
        let mut written = triggers.into_iter().filter_map(|(key, it)| it.map(|it| (key, it)));
        match (written.next(), written.next()) {
            (Some((_, trigger)), None) => Ok(trigger),
            (Some((first, _)), Some((second, _))) => {
                Err(format!("a schedule has either `{first}` or `{second}`; leave one of them out"))
            }
            (None, _) => Err(format!("the schedule does not say when; add one of {keys}")),
        }
    }

    /// Returns what is wrong with a key that has no effect beside the others.
    fn surplus(&self, trigger: &TriggerEntry) -> Option<String> {
        let repeats = matches!(trigger, TriggerEntry::Every(_) | TriggerEntry::Cron(_));
        let has_bounds = self.start.is_some() || self.end.is_some();
        if has_bounds && !repeats {
            let key = if self.start.is_some() { "start" } else { "end" };
            return Some(format!(
                "`{key}` has no effect here, only with `every`, `interval_seconds` or `cron`; leave \
                 it out"
            ));
        }
        let has_times = matches!(trigger, TriggerEntry::Cron(_) | TriggerEntry::At(_));
        let is_unused = self.timezone.is_some() && !has_times && !has_bounds;
        is_unused.then(|| {
            "`timezone` has no effect here, only with `cron`, `at`, `start` or `end`; leave it out"
                .to_owned()
        })
    }
}

impl<'de> Deserialize<'de> for ScheduleEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScheduleVisitor)
    }
}

impl JsonSchema for ScheduleEntry {
    fn schema_name() -> Cow<'static, str> {
        "Schedule".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mapping = generator.subschema_for::<Written>();
        json_schema!({
            "anyOf": [{ "type": "string", "minLength": 1 }, mapping],
            "x-value": "a cron expression, a word, or a mapping"
        })
    }
}

struct ScheduleVisitor;

impl<'de> Visitor<'de> for ScheduleVisitor {
    type Value = ScheduleEntry;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(
            "a cron expression such as `0 3 * * *`, a nickname such as `@hourly`, `at_start`, \
             `after_dependencies`, `manual`, or a mapping",
        )
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ScheduleEntry, E> {
        let trigger = match text.trim() {
            "at_start" => TriggerEntry::AtStart,
            "after_dependencies" => TriggerEntry::AfterDependencies,
            "manual" => TriggerEntry::Manual,
            cron if cron.starts_with('@') || cron.contains(char::is_whitespace) => {
                let text: StrDeserializer<'_, E> = text.into_deserializer();
                TriggerEntry::Cron(Name::text(text)?)
            }
            _ => return Err(E::invalid_value(Unexpected::Str(text), &self)),
        };
        Ok(trigger.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ScheduleEntry, A::Error> {
        let written = Written::deserialize(MapAccessDeserializer::new(map))?;
        let trigger = written.trigger().map_err(A::Error::custom)?;
        if let Some(surplus) = written.surplus(&trigger) {
            return Err(A::Error::custom(surplus));
        }
        let Written { timezone, start, end, .. } = written;
        Ok(ScheduleEntry { trigger, timezone, start, end })
    }
}
