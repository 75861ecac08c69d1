//! Rendering a report as tables.

use std::{collections::BTreeMap, fmt::Write};

use comfy_table::{Cell, CellAlignment, Table};
use serde_json::{Value, json};

use hotbay_daemon::{HostOutcome, Report};

use super::inspect;

/// Renders all tables that have rows, each below its title.
pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    let mut add = |title: &str, rows: &[Value]| {
        if let Some(table) = table(rows) {
            // Writing to a string can't fail.
            let _infallible = writeln!(text, "{title}\n{table}\n");
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
        let _infallible = writeln!(text, "left out: {note}");
    }
    for problem in &report.problems {
        let _infallible = writeln!(text, "problem: {problem}");
    }
    let outcome = match report.outcome {
        HostOutcome::Finished => "finished: the sources ended and everything was handled",
        HostOutcome::Stopped => "stopped, as asked",
        HostOutcome::Failed => "failed: see the errors above",
    };
    let _infallible = write!(text, "{outcome} ({:.2?})", report.elapsed);
    text
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

/// Makes a table of rows. Its columns are the fields, in the order of their first occurrence.
pub(super) fn table(rows: &[Value]) -> Option<Table> {
    let mut columns: Vec<&str> = Vec::new();
    for name in rows.iter().filter_map(Value::as_object).flat_map(|fields| fields.keys()) {
        if !columns.contains(&name.as_str()) {
            columns.push(name);
        }
    }
    if columns.is_empty() {
        return None;
    }
    let mut table = inspect::table();
    table.set_header(&columns);
    for row in rows {
        table.add_row(columns.iter().map(|column| cell(row.get(column).unwrap_or(&Value::Null))));
    }
    Some(table)
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::new(""),
        Value::Number(number) => Cell::new(number).set_alignment(CellAlignment::Right),
        // Decimals are texts, so that no digit is lost, but are aligned like numbers.
        Value::String(text) if text.parse::<f64>().is_ok() => {
            Cell::new(text).set_alignment(CellAlignment::Right)
        }
        Value::String(text) => Cell::new(text),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Cell::new(value),
    }
}
