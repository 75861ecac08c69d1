//! Counts of the damaged lines and unknown names in a recording.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// The number of damaged lines that are logged and listed; the others are only counted.
const SHOWN: usize = 5;
/// The number of names that are counted separately; limited because names are untrusted input.
const NAMES: usize = 64;

/// Counts the damaged lines. It is serialized as part of a connector's saved state.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Damage {
    total: u64,
    first: Vec<u64>,
}

impl Damage {
    /// Counts one damaged line; the first few are logged.
    pub fn note(&mut self, origin: &str, line: u64, reason: &dyn fmt::Display) {
        self.total += 1;
        if self.first.len() < SHOWN {
            self.first.push(line);
            tracing::warn!(origin, line, %reason, "damaged line left out");
        } else if self.total == SHOWN as u64 + 1 {
            tracing::warn!(origin, line, "further damaged lines are counted, not logged");
        }
    }

    /// Returns the number of damaged lines.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Returns the numbers of the first damaged lines, `17, 203, …`; empty if there were none.
    pub fn lines(&self) -> String {
        let mut text = self.first.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        if self.total > self.first.len() as u64 {
            text.push_str(", …");
        }
        text
    }
}

/// Counts unknown things by name. It is serialized as part of a connector's saved state.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Unknown {
    total: u64,
    names: BTreeMap<String, u64>,
}

impl Unknown {
    /// Counts one occurrence of a name; each name is logged once.
    pub fn note(&mut self, origin: &str, line: u64, name: &str) {
        self.total += 1;
        if let Some(count) = self.names.get_mut(name) {
            *count += 1;
        } else if self.names.len() < NAMES {
            self.names.insert(name.to_owned(), 1);
            tracing::info!(origin, line, name, "unknown kind of message; it is counted");
        }
    }

    /// Returns the number of occurrences, summed over all names.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Returns the names with their counts, `aggTrade 3, kline 1`; empty if there were none.
    pub fn names(&self) -> String {
        let mut parts: Vec<_> = self.names.iter().map(|(name, n)| format!("{name} {n}")).collect();
        let others = self.total - self.names.values().sum::<u64>();
        if others > 0 {
            parts.push(format!("others {others}"));
        }
        parts.join(", ")
    }
}
