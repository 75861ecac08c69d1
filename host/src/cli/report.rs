//! Rendering a report as tables.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use hotbay_daemon::{HostOutcome, Report};

use super::{output::Page, table::Table, wording::duration};

/// Renders all tables that have rows, each below its title.
pub(super) fn render(page: &mut Page, report: &Report) {
    let mut add = |title: &str, rows: &[Value]| {
        if let Some(table) = Table::of_objects(rows) {
            page.line(title);
            page.table(&table);
            page.blank();
        }
    };
    let plain = |rows: Vec<Value>| rows.into_iter().map(without_nulls).collect::<Vec<_>>();
    add("components", &plain(values(&report.components)));
    add("channels", &plain(values(&report.channels)));
    add("tasks", &plain(values(&report.tasks)));
    for (title, rows) in &report.sections {
        add(title, rows);
    }
    add("counters", &numbers(&report.counters));
    add("gauges", &numbers(&report.gauges));
    for note in &report.left_out {
        page.line(format_args!("left out: {note}"));
    }
    for problem in &report.problems {
        page.line(format_args!("problem: {problem}"));
    }
    let outcome = match report.outcome {
        HostOutcome::Finished => "finished: the sources ended and everything was handled",
        HostOutcome::Stopped => "stopped, as asked",
        HostOutcome::Failed => "failed: see the errors above",
    };
    page.line(format_args!("{outcome} ({})", duration(report.elapsed)));
}

/// Makes a row of each number.
pub(super) fn numbers<N: serde::Serialize>(numbers: &BTreeMap<String, N>) -> Vec<Value> {
    numbers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

fn values<T: serde::Serialize>(rows: &[T]) -> Vec<Value> {
    rows.iter().filter_map(|row| serde_json::to_value(row).ok()).collect()
}

fn without_nulls(row: Value) -> Value {
    let Value::Object(fields) = row else { return row };
    Value::Object(fields.into_iter().filter(|(_, value)| !value.is_null()).collect())
}
