//! The record of each replacement of a plugin: `replacements.jsonl` in the state folder.
//!
//! Each line is one record. A line that cannot be parsed was cut short when a host was killed,
//! and a reader skips it.

use std::{
    collections::VecDeque,
    io,
    path::Path,
    sync::mpsc::{self, Receiver, Sender},
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use hotbay_access::{CheckedFolder, Missing};
use serde::{Deserialize, Serialize};

use crate::{durable, rfc3339, short_hash};

/// The name of the file in the state folder.
const NAME: &str = "replacements.jsonl";

/// The number of records that are kept in memory, for the status of a host to list.
const MAX_IN_MEMORY: usize = 10;

/// The size in bytes beyond which the file is renamed and a new one is begun.
const MAX_BYTES: u64 = 4 << 20;

/// The record of one replacement of a plugin by another build, whether it succeeded or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replacement {
    /// When the replacement ended, in RFC 3339, UTC.
    pub at: String,
    /// The name of the plugin.
    pub plugin: String,
    /// The build that was in service before.
    pub from: Build,
    /// The build that was to take over.
    pub to: Build,
    /// How long the inputs of the plugin's components were held, in microseconds.
    pub held_us: u64,
    /// The state that each component handed over.
    pub handed: Vec<Handed>,
    /// How the replacement ended.
    #[serde(flatten)]
    pub outcome: ReplacementOutcome,
    /// The alert for an operator; present if the new build is not in service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// Further remarks for an operator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Replacement {
    /// Makes the record of a replacement that ends now, and well unless another outcome is set.
    pub fn new(plugin: &str, from: Build, to: Build) -> Self {
        Self {
            at: now(),
            plugin: plugin.to_owned(),
            from,
            to,
            held_us: 0,
            handed: Vec::new(),
            outcome: ReplacementOutcome::Replaced,
            alert: None,
            notes: Vec::new(),
        }
    }
}

/// Identifies one build of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// The plugin's version.
    pub version: String,
    /// The SHA-256 of the library, in hexadecimal.
    pub hash: String,
    /// The number of the generation in this host; absent if the build was never loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
}

impl Build {
    /// Names this build where another one is named as well: by its version, and by its hash too if
    /// both have the same version.
    pub fn unlike(&self, other: &Self) -> String {
        match self.version == other.version && !self.hash.is_empty() {
            true => format!("{} ({})", self.version, short_hash(&self.hash)),
            false => self.version.clone(),
        }
    }
}

/// The state that one component handed over to its successor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handed {
    /// The name of the component.
    pub component: String,
    /// The version of the state's format; absent if the component had no state.
    pub version: Option<u32>,
    /// The size of the state in bytes.
    pub bytes: usize,
}

/// How a replacement ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum ReplacementOutcome {
    /// The new build is in service.
    Replaced,
    /// The new build never came into service.
    Refused {
        /// The step that failed: `inspect`, `load`, `configuration`, `hold`, `save_state`,
        /// `create`, `restore`, `initialize`, `leaks`.
        step: String,
        /// Why the step failed.
        reason: String,
    },
    /// The new build failed on probation, and the old one is in service again.
    RolledBack {
        /// Why the new build failed.
        reason: String,
    },
}

/// The records of one host: the latest ones in memory, all of them in a file.
///
/// A thread of its own writes the file, so that a slow disk delays nobody. Dropping the journal
/// waits until every record is written.
#[derive(Debug, Default)]
pub struct Journal {
    writer: Option<Writer>,
    last: VecDeque<Replacement>,
    total: u64,
}

/// The thread that writes the file, and the channel to it.
#[derive(Debug)]
struct Writer {
    lines: Option<Sender<Line>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Line {
    Record(Box<Replacement>),
    /// A request to be answered when every record before it is written.
    Flush(Sender<()>),
}

impl Journal {
    /// Creates a journal that appends each record to `replacements.jsonl` in this folder.
    pub fn in_folder(folder: &Path) -> Self {
        let folder = folder.to_owned();
        let (lines, received) = mpsc::channel();
        let write = move || write_all(&folder, &received);
        match thread::Builder::new().name("hotbay-journal".to_owned()).spawn(write) {
            Ok(thread) => {
                let writer = Writer { lines: Some(lines), thread: Some(thread) };
                Self { writer: Some(writer), ..Self::default() }
            }
            Err(error) => {
                tracing::warn!(%error, "replacements are not put on record");
                Self::default()
            }
        }
    }

    /// Adds a record. A record with an alert is logged as an error.
    pub fn add(&mut self, record: Replacement) {
        let Replacement { plugin, held_us, .. } = &record;
        match &record.alert {
            Some(alert) => tracing::error!(plugin, "{alert}"),
            None => {
                tracing::info!(plugin, held_us, to = record.to.unlike(&record.from), "replaced")
            }
        }
        self.send(Line::Record(Box::new(record.clone())));
        self.total += 1;
        self.last.push_back(record);
        if self.last.len() > MAX_IN_MEMORY {
            self.last.pop_front();
        }
    }

    /// Waits until every record is in the file. Blocks.
    pub fn flush(&self) {
        let (answer, answered) = mpsc::channel();
        self.send(Line::Flush(answer));
        if answered.recv().is_err() {
            tracing::trace!("no thread writes records, so there is nothing to wait for");
        }
    }

    /// Returns the records in memory, the latest at the end.
    pub fn last(&self) -> impl Iterator<Item = &Replacement> {
        self.last.iter()
    }

    /// Returns the number of records that were added to this journal.
    pub fn total(&self) -> u64 {
        self.total
    }

    fn send(&self, line: Line) {
        let lines = self.writer.as_ref().and_then(|writer| writer.lines.as_ref());
        // The thread runs until the sender is dropped, so the receiver still exists.
        drop(lines.map(|lines| lines.send(line)));
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.lines.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that puts replacements on record panicked");
        }
    }
}

fn write_all(folder: &Path, lines: &Receiver<Line>) {
    for line in lines {
        match line {
            Line::Record(record) => {
                if let Err(error) = write(folder, &record) {
                    tracing::warn!(%error, folder = %folder.display(), "a replacement is not on record");
                }
            }
            // The caller of `flush` may have stopped waiting.
            Line::Flush(answer) => drop(answer.send(())),
        }
    }
}

/// Returns the current time in the format of [`Replacement::at`].
pub fn now() -> String {
    rfc3339::millis(SystemTime::now())
}

/// Converts a duration into the microseconds of [`Replacement::held_us`].
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn write(folder: &Path, record: &Replacement) -> io::Result<()> {
    let folder = CheckedFolder::private(folder, Missing::IsAnError)?;
    durable::append_line(&folder, NAME, &serde_json::to_vec(record)?, MAX_BYTES)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn half_a_line_of_a_killed_host_spoils_no_other_record() {
        let folder = tempfile::tempdir().unwrap();
        let build = || Build { version: "1.0.0".to_owned(), hash: String::new(), generation: None };
        let record = Replacement {
            at: now(),
            plugin: "hello".to_owned(),
            from: build(),
            to: build(),
            held_us: 1,
            handed: Vec::new(),
            outcome: ReplacementOutcome::Replaced,
            alert: None,
            notes: Vec::new(),
        };
        let mut journal = Journal::in_folder(folder.path());
        journal.add(record.clone());
        journal.flush();
        let file = folder.path().join("replacements.jsonl");
        let mut text = fs::read_to_string(&file).unwrap();
        text.push_str(r#"{"at":"20"#);
        fs::write(&file, text).unwrap();
        journal.add(record.clone());
        journal.flush();
        let text = fs::read_to_string(&file).unwrap();
        let read: Vec<_> = text.lines().map(serde_json::from_str::<Replacement>).collect();
        assert_eq!(read.len(), 3);
        assert_eq!((read[0].as_ref().unwrap(), read[2].as_ref().unwrap()), (&record, &record));
    }
}
