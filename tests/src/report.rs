//! The report that `hotbay run --output json` prints.

use serde_json::Value;

/// The report of one run, as JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Report(pub Value);

impl Report {
    /// Reads a report; `None` if the text is anything else than one JSON document.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// Returns the outcome of the run: `finished`, `stopped` or `failed`.
    pub fn outcome(&self) -> &str {
        self.0["outcome"].as_str().unwrap_or_default()
    }

    /// Returns the row of a component.
    ///
    /// # Panics
    /// If there is none of this id.
    pub fn component(&self, id: &str) -> &Value {
        self.find("components", "id", id)
    }

    /// Returns the row of a task, by `plugin/task`.
    ///
    /// # Panics
    /// If there is none of this id.
    pub fn task(&self, id: &str) -> &Value {
        self.find("tasks", "id", id)
    }

    /// Returns the row of a channel.
    ///
    /// # Panics
    /// If there is none of this name.
    pub fn channel(&self, name: &str) -> &Value {
        self.find("channels", "name", name)
    }

    /// Returns the rows that components put into a section.
    pub fn section(&self, name: &str) -> &[Value] {
        self.0["sections"][name].as_array().map_or(&[], Vec::as_slice)
    }

    /// Returns a counter, by `component.name`; 0 if it was never touched.
    pub fn counter(&self, name: &str) -> u64 {
        self.0["counters"][name].as_u64().unwrap_or_default()
    }

    /// Returns the problems in stopping, one sentence each.
    pub fn problems(&self) -> Vec<&str> {
        self.0["problems"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn find(&self, list: &str, key: &str, wanted: &str) -> &Value {
        let mut rows = self.0[list].as_array().into_iter().flatten();
        rows.find(|row| row[key] == wanted)
            .unwrap_or_else(|| panic!("no {wanted} among the {list} of {:#}", self.0))
    }
}
