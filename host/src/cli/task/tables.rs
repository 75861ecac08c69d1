//! Tasks, runs and lines of logs as people read them.

use std::time::Duration;

use hotbay_daemon::{LogLineView, RunView, TaskState, TaskView};
use hotbay_store::clock;
use jiff::{Timestamp, tz::TimeZone};

use crate::cli::{
    output::Page,
    table::{NO_BREAK, Table},
    wording::duration,
};

pub(super) fn list(page: &mut Page, tasks: &[TaskView]) {
    if tasks.is_empty() {
        return page.line("this host has no tasks");
    }
    // What fits a terminal of 80 columns. `task show` and JSON have the rest.
    let mut table = Table::new(["task", "state", "next", "failed", "schedule"]);
    let now = clock::now();
    for task in tasks {
        let next = task.next.map(|at| from_now(at, now)).unwrap_or_default();
        let failed = task.counts.failed.to_string();
        table.row([&task.id, &state(task), &next, &failed, &task.schedule]);
    }
    page.table(&table);
}

fn state(task: &TaskView) -> String {
    match task.state {
        TaskState::Active if task.running > 0 => "running".to_owned(),
        TaskState::Active if task.waiting > 0 => "waiting".to_owned(),
        TaskState::Active => "active".to_owned(),
        TaskState::Paused => "paused".to_owned(),
        TaskState::Disabled => "disabled".to_owned(),
        TaskState::Waits => "waits for its plugin".to_owned(),
        TaskState::Held => "waits for the store".to_owned(),
    }
}

pub(super) fn describe(page: &mut Page, task: &TaskView) {
    page.line(&task.id);
    if !task.description.is_empty() {
        page.line(format_args!("  {}", task.description));
    }
    page.line(format_args!("  runs {}; {}", task.schedule, state(task)));
    if let Some(next) = task.next {
        page.line(format_args!("  next at {}", local(next, &TimeZone::system())));
    }
    let counts = task.counts;
    page.line(format_args!(
        "  {} done, {} failed, {} cancelled, {} skipped, {} missed",
        counts.succeeded, counts.failed, counts.cancelled, counts.skipped, counts.missed
    ));
    if let Some(error) = &task.last_error {
        page.line(format_args!("  failed last with: {error}"));
    }
}

pub(super) fn runs(page: &mut Page, runs: &[RunView]) {
    if runs.is_empty() {
        return page.line("no run is known");
    }
    let columns = ["run", "task", "state", "since", "attempts", "reason"];
    let has_reasons = runs.iter().any(|run| run.reason.is_some());
    let shown = if has_reasons { columns.len() } else { columns.len() - 1 };
    let mut table = Table::new(&columns[..shown]);
    for run in runs {
        let since = here(run.since);
        let (number, attempts) = (run.run.to_string(), run.attempts.to_string());
        let reason = match (&run.reason, run.by) {
            (Some(reason), Some(by)) if !reason.contains(&by.to_string()) => {
                format!("{reason} (run {by})")
            }
            (reason, _) => reason.clone().unwrap_or_default(),
        };
        let state = run.state.replace('_', " ");
        table.row(&[&number, &run.task, &state, &since, &attempts, &reason][..shown]);
    }
    page.table(&table);
}

pub(super) fn line(line: &LogLineView) -> String {
    format!("{} {:5} {}", local(line.at, &TimeZone::system()), line.level, line.message)
}

/// Returns how far off a time is, in its two largest units, for tables.
fn from_now(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.duration_since(now).as_secs();
    let Some(seconds) = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0) else {
        return "now".to_owned();
    };
    let text = duration(Duration::from_secs(seconds)).to_string();
    let units: Vec<_> = ["in"].into_iter().chain(text.split(' ').take(2)).collect();
    units.join(NO_BREAK)
}

/// Returns a time to the second as the clock of this system shows it, for tables.
fn here(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Returns a time to the second as the clock of a zone shows it, with the offset.
fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_as_far_off_as_its_two_largest_units_say() {
        let now = Timestamp::UNIX_EPOCH;
        let text = |seconds| from_now(Timestamp::from_second(seconds).unwrap(), now);
        let expected = ["now", "now", "in 1s", "in 1m 1s", "in 1h 1m", "in 3days 4h"];
        let found = [-5, 0, 1, 61, 3_665, 3 * 86_400 + 4 * 3_600 + 59].map(text);
        assert_eq!(found.map(|it| it.replace(NO_BREAK, " ")), expected);
    }
}
