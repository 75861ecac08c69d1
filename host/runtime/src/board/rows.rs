//! The rows of one component in the report: the last ones, within their limits.

use std::collections::VecDeque;

use hotbay_plugin_api::limits::{self, cut};

use super::ReportRow;

/// The last rows of a component, kept as JSON text, since parsed rows take several times the room.
#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: VecDeque<Row>,
    bytes: usize,
}

#[derive(Debug)]
struct Row {
    /// The number of the row among those of all components, by which they are sorted.
    number: u64,
    section: String,
    json: String,
}

impl Row {
    fn bytes(&self) -> usize {
        self.section.len() + self.json.len()
    }
}

impl Rows {
    /// Adds a row. Returns the number of rows that are left out for it, or because it is too large.
    pub(super) fn add(&mut self, number: u64, section: &str, json: &str) -> u64 {
        if json.len() > limits::REPORT_ROW {
            return 1;
        }
        let row = Row { number, section: cut(section, limits::NAME), json: json.to_owned() };
        self.bytes += row.bytes();
        self.rows.push_back(row);
        let mut left_out = 0;
        while self.rows.len() > limits::REPORT_ROWS || self.bytes > limits::REPORT_BYTES {
            let Some(oldest) = self.rows.pop_front() else { break };
            self.bytes -= oldest.bytes();
            left_out += 1;
        }
        left_out
    }

    /// Parses the rows, and returns each with its number among those of all components.
    pub(super) fn read(&self, component: &str) -> Vec<(u64, ReportRow)> {
        let read = |row: &Row| {
            let (section, component) = (row.section.clone(), component.to_owned());
            // `Board::row` adds no row that is not JSON.
            let read = serde_json::from_str(&row.json).ok()?;
            Some((row.number, ReportRow { section, component, row: read }))
        };
        self.rows.iter().filter_map(read).collect()
    }
}
