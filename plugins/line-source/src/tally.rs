//! Counts of the damaged lines and unknown names in a recording.

use std::{collections::BTreeMap, fmt, path::Path};

use serde::{Deserialize, Serialize};

use crate::ReadError;

/// The number of damaged lines that are logged and listed; the others are only counted.
const SHOWN: usize = 5;
/// The number of names that are counted separately; limited because names are untrusted input.
const NAMES: usize = 64;
/// The largest number of characters of foreign text that are shown.
const EXCERPT: usize = 200;

/// Returns the start of a text that others wrote, for a log or an error: control characters and
/// the like are escaped, and what is too long is cut.
pub fn excerpt(text: &str) -> String {
    let mut shown = String::new();
    for letter in text.chars().take(EXCERPT) {
        match letter {
            '"' | '\'' | '\\' => shown.push(letter),
            _ => shown.extend(letter.escape_debug()),
        }
    }
    if text.chars().nth(EXCERPT).is_some() {
        shown.push('…');
    }
    shown
}

/// Checks that a recording that was read to its end held something of use: of its lines, at
/// least one was neither damaged nor of an unknown kind.
///
/// # Errors
/// [`ReadError::Empty`] or [`ReadError::NothingUsable`], if it did not.
pub fn check_usable(
    path: &Path,
    lines: u64,
    damage: &Damage,
    unknown: &Unknown,
) -> Result<(), ReadError> {
    let path = path.to_owned();
    if lines == 0 {
        return Err(ReadError::Empty { path });
    }
    if damage.total + unknown.total < lines {
        return Ok(());
    }
    let damaged = damage.first.first().map(|line| format!("line {line}: {}", damage.reason));
    let kinds = unknown.names();
    let unknown = (!kinds.is_empty()).then(|| format!("unknown kinds: {kinds}"));
    let why: Vec<_> = damaged.into_iter().chain(unknown).collect();
    Err(ReadError::NothingUsable { path, lines, why: why.join("; ") })
}

/// Counts the damaged lines. It is serialized as part of a connector's saved state.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Damage {
    total: u64,
    first: Vec<u64>,
    /// What is wrong with the first of them.
    #[serde(default)]
    reason: String,
}

impl Damage {
    /// Counts one damaged line; the first few are logged.
    pub fn note(&mut self, origin: &str, line: u64, reason: &dyn fmt::Display) {
        if let Some(reason) = self.add(line, reason) {
            tracing::warn!(origin, line, reason, "damaged line left out");
        } else if self.total == SHOWN as u64 + 1 {
            tracing::warn!(origin, line, "further damaged lines are counted, not logged");
        }
    }

    /// Counts a line of which some values can't be used; the first few are logged.
    pub fn note_values(&mut self, origin: &str, line: u64, values: &dyn fmt::Display) {
        if let Some(values) = self.add(line, values) {
            tracing::warn!(
                origin,
                line,
                values,
                "values that can't be used are left out of a line"
            );
        } else if self.total == SHOWN as u64 + 1 {
            tracing::warn!(origin, line, "further lines with such values are counted, not logged");
        }
    }

    /// Counts a line, and returns its reason if it is to be logged.
    fn add(&mut self, line: u64, reason: &dyn fmt::Display) -> Option<String> {
        self.total += 1;
        (self.first.len() < SHOWN).then(|| {
            self.first.push(line);
            let reason = excerpt(&reason.to_string());
            if self.first.len() == 1 {
                self.reason.clone_from(&reason);
            }
            reason
        })
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
            return;
        }
        let name = excerpt(name);
        if let Some(count) = self.names.get_mut(&name) {
            *count += 1;
        } else if self.names.len() < NAMES {
            self.names.insert(name.clone(), 1);
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
