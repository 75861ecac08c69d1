//! A text for standard output, line by line.

use std::fmt;

use hotbay_config::text::Escape;

use crate::cli::table::Table;

/// A text for standard output. Each line is escaped when it is added, so that it stays one line.
#[derive(Debug, Default)]
pub(in crate::cli) struct Page(String);

impl Page {
    /// Adds a line.
    pub(in crate::cli) fn line(&mut self, line: impl fmt::Display) {
        // A value that can't be displayed is shown as far as it came.
        let _shown = fmt::Write::write_fmt(&mut Escape(&mut self.0), format_args!("{line}"));
        self.0.push('\n');
    }

    /// Adds an empty line.
    pub(in crate::cli) fn blank(&mut self) {
        self.0.push('\n');
    }

    /// Adds a table, whose cells are escaped.
    pub(in crate::cli) fn table(&mut self, table: &Table) {
        self.0.push_str(&table.render());
    }

    /// Adds a JSON document.
    ///
    /// JSON escapes control characters by itself.
    pub(in crate::cli) fn json(&mut self, document: &impl serde::Serialize) {
        match serde_json::to_string_pretty(document) {
            Ok(json) => self.0.push_str(&json),
            // No value of the program fails: all have texts as keys.
            Err(error) => self.line(format_args!("{{\"error\": {:?}}}", error.to_string())),
        }
        self.0.push('\n');
    }

    /// Returns the text.
    pub(in crate::cli) fn into_text(self) -> String {
        self.0
    }
}
