//! Changing the spec of a task as the configuration and the settings beside a library say.

use std::time::Duration;

use hotbay_config::{
    Config, Diagnostic, Diagnostics, Document, ScheduleEntry, TaskEntry, TriggerEntry,
};
use hotbay_plugin_api::{FunctionKind, Schedule, TaskSpec};
use hotbay_runtime::Generation;
use jiff::{civil::DateTime, tz::TimeZone};

use crate::{
    plan::{CronError, CronSchedule},
    scheduled::moment,
};

/// The entry of a file about one task.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Override<'a> {
    pub(crate) file: &'a Document,
    pub(crate) entry: &'a TaskEntry,
}

/// A value of a schedule that can't be understood.
struct WrongValue {
    /// The key of the schedule's mapping that has the value.
    key: &'static str,
    message: String,
    help: &'static str,
}

/// Reports the values of a configuration that can't be understood, whether or not their plugins are
/// loaded.
pub fn check_entries(config: &Config, findings: &mut Diagnostics) {
    for entry in &config.tasks {
        let mut spec = TaskSpec::new("", FunctionKind::Async);
        findings.extend(Override { file: config.document(), entry }.apply(&mut spec).err());
    }
}

impl<'a> Override<'a> {
    /// Returns what a file says about a task, if it says something. A second entry about the task is
    /// added to the findings.
    pub(crate) fn find(
        file: &'a Document,
        entries: &'a [TaskEntry],
        (plugin, task): (&Generation, &TaskSpec),
        findings: &mut Diagnostics,
    ) -> Option<Self> {
        let mut entries = entries.iter().filter(|it| it.is_about(plugin.name(), &task.name));
        let found = Self { file, entry: entries.next()? };
        for second in entries {
            let (task, plugin) = (&task.name, plugin.name());
            let message = format!("the task `{task}` of `{plugin}` is already adjusted");
            let finding = file.error_at(&second.name_path(), message);
            findings.push(finding.with_help("leave one of the two entries"));
        }
        Some(found)
    }

    /// Changes a spec as the file says.
    ///
    /// # Errors
    /// If a value can't be understood.
    pub(crate) fn apply(&self, spec: &mut TaskSpec) -> Result<(), Diagnostic> {
        let entry = self.entry;
        set(&mut spec.enabled, entry.enabled);
        if let Some((key, schedule)) = entry.schedule() {
            set_schedule(spec, &schedule).map_err(|wrong| {
                // A schedule that is written as a text has no such key: its own place is the result.
                let path = entry.location.key(key).key(wrong.key);
                let finding = self.file.error_at(&path, wrong.message);
                if wrong.help.is_empty() { finding } else { finding.with_help(wrong.help) }
            })?;
        }
        set(&mut spec.jitter, entry.jitter);
        set(&mut spec.priority, entry.priority.map(|it| it.0));
        set(&mut spec.depends_on, entry.depends_on.clone());
        set(&mut spec.on_dependency_failure, entry.on_dependency_failure);
        set(&mut spec.attempts, entry.max_retries.map(|retries| number(retries) + 1));
        let seconds = entry.retry_delay_seconds.map(|it| Duration::from_secs(it as u64));
        set(&mut spec.retry_delay, entry.retry_delay.or(seconds));
        set(&mut spec.backoff, entry.backoff.map(|it| it.0));
        set(&mut spec.timeout, entry.timeout.map(|it| it.limit()));
        set(&mut spec.overlap, entry.overlap);
        set(&mut spec.at_once, entry.at_once.map(|it| it.limit().map(number)));
        set(&mut spec.key, entry.key.clone().map(Some));
        set(&mut spec.min_start_interval, entry.min_start_interval);
        let misfire = entry.misfire;
        set(&mut spec.misfire, misfire.and_then(|it| it.misfire));
        set(&mut spec.misfire_grace, misfire.and_then(|it| it.grace).map(|it| it.limit()));
        set(&mut spec.durability, entry.durability);
        match (entry.alert_on_failure, entry.alert_after) {
            (Some(false), _) => spec.alert_after = None,
            (_, Some(failures)) => spec.alert_after = Some(number(failures)),
            (Some(true), None) => spec.alert_after = Some(1),
            (None, None) => {}
        }
        Ok(())
    }

    /// Returns an error at the value of one of these keys, or `None` if the file has none of them.
    pub(crate) fn error_at(&self, keys: &[&str], message: &str) -> Option<Diagnostic> {
        let entry = self.entry.location.clone();
        let at = self.file.key_of(&entry, keys)?;
        Some(self.file.error_at(&entry.key(at), message))
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn set_schedule(spec: &mut TaskSpec, schedule: &ScheduleEntry) -> Result<(), WrongValue> {
    let zone = schedule.timezone.as_deref();
    spec.schedule = match &schedule.trigger {
        TriggerEntry::AtStart => Schedule::AtStart,
        TriggerEntry::AfterDependencies => Schedule::AfterDependencies,
        TriggerEntry::Manual => Schedule::Manual,
        TriggerEntry::Event(channel) => Schedule::OnEvent(channel.clone()),
        TriggerEntry::Every(interval) => Schedule::Every(*interval),
        TriggerEntry::At(text) => Schedule::OnceAt(local_moment("at", text, zone)?),
        TriggerEntry::Cron(expression) => {
            let zone = zone.unwrap_or("UTC");
            CronSchedule::parse(expression, zone)?;
            Schedule::Cron { expression: expression.clone(), zone: zone.to_owned() }
        }
    };
    let bound = |key, text: &Option<String>| {
        text.as_deref().map(|text| local_moment(key, text, zone)).transpose()
    };
    spec.starts_at = bound("start", &schedule.start)?;
    spec.ends_at = bound("end", &schedule.end)?;
    Ok(())
}

impl From<CronError> for WrongValue {
    fn from(error: CronError) -> Self {
        let key = match error {
            CronError::UnknownZone { .. } => "timezone",
            CronError::Syntax { .. } | CronError::NeverMatches { .. } => "cron",
        };
        Self { key, message: error.to_string(), help: "" }
    }
}

/// Returns the time of a key as a spec has it. A local time is meant in the zone.
fn local_moment(key: &'static str, text: &str, zone: Option<&str>) -> Result<String, WrongValue> {
    if moment(text).is_some() {
        return Ok(text.to_owned());
    }
    let wrong = |reason, help| WrongValue { key, message: format!("`{text}` is {reason}"), help };
    let local = text.parse::<DateTime>().map_err(|_| {
        wrong(
            "no time",
            "write it as `2026-12-24T18:00:00Z`, or as `2026-12-24 18:00` with a `timezone`",
        )
    })?;
    let in_brackets = text.split_once('[').map(|(_, rest)| rest.trim_end_matches(']'));
    let zone = in_brackets.or(zone).ok_or_else(|| {
        wrong(
            "a local time without a zone",
            "add the zone, such as `timezone: Europe/Berlin`, or the offset, such as `Z` for UTC",
        )
    })?;
    match TimeZone::get(zone) {
        Ok(_) => Ok(format!("{local}[{zone}]")),
        Err(_) => {
            let key = if in_brackets.is_some() { key } else { "timezone" };
            Err(WrongValue { key, ..CronError::UnknownZone { zone: zone.to_owned() }.into() })
        }
    }
}
