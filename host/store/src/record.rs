//! What is kept of each replacement.

use std::{
    collections::VecDeque,
    io,
    path::Path,
    sync::mpsc::{self, Receiver, Sender},
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use crate::durable;

/// How many records are kept in memory.
const KEPT: usize = 100;

/// How large the file may grow before it is put aside, in bytes.
const MOST: u64 = 4 << 20;

/// One replacement of a plugin by another build of it, however it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replacement {
    /// When it was over, RFC 3339, UTC.
    pub at: String,
    /// The plugin.
    pub plugin: String,
    /// What was in service before.
    pub from: Build,
    /// What was to take over.
    pub to: Build,
    /// How long its components' inputs were held, in microseconds.
    pub held_us: u64,
    /// What each component handed over.
    pub handed: Vec<Handed>,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What a person should know; present if the new build is not in service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// What else there is to say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One build of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// The plugin's version.
    pub version: String,
    /// The SHA-256 of the library, in hexadecimal.
    pub hash: String,
    /// Its number in this host; absent if it was never loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
}

/// What one component handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handed {
    /// The component.
    pub component: String,
    /// The version of its state; absent if it had none.
    pub version: Option<u32>,
    /// The size of its state.
    pub bytes: usize,
}

/// How a replacement ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// The new build is in service.
    Replaced,
    /// The new build never came into service.
    Refused {
        /// The step that failed: `inspect`, `load`, `configuration`, `hold`, `save_state`,
        /// `create`, `restore`, `initialize`, `leaks`.
        step: String,
        /// Why.
        reason: String,
    },
    /// The new build failed on probation, and the old one is in service again.
    RolledBack {
        /// Why.
        reason: String,
    },
}

/// The records of one host: the last ones in memory, all in a file.
///
/// The file is written by a thread of its own, so that a slow disk delays nobody. It is
/// written to its end when the journal is dropped.
#[derive(Debug, Default)]
pub struct Journal {
    writer: Option<Writer>,
    last: VecDeque<Replacement>,
    total: u64,
}

/// The thread that writes, and the way to it.
#[derive(Debug)]
struct Writer {
    lines: Option<Sender<Line>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Line {
    Record(Box<Replacement>),
    /// Answered when everything before it was written.
    Flush(Sender<()>),
}

impl Journal {
    /// A journal that also goes to `replacements.jsonl` in this folder, one line each.
    pub fn in_folder(folder: &Path) -> Self {
        let file = folder.join("replacements.jsonl");
        let (lines, received) = mpsc::channel();
        let write = move || write_all(&file, &received);
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

    /// Adds a record. One that is an alert is logged as an error.
    pub fn add(&mut self, record: Replacement) {
        let Replacement { plugin, held_us, .. } = &record;
        match &record.alert {
            Some(alert) => tracing::error!(plugin, "{alert}"),
            None => tracing::info!(plugin, held_us, to = record.to.version, "replaced"),
        }
        self.send(Line::Record(Box::new(record.clone())));
        self.total += 1;
        self.last.push_back(record);
        if self.last.len() > KEPT {
            self.last.pop_front();
        }
    }

    /// Waits until every record is in the file. Blocks.
    pub fn flush(&self) {
        let (answer, answered) = mpsc::channel();
        self.send(Line::Flush(answer));
        // Without a writer, the sender is dropped, and there is nothing to wait for.
        drop(answered.recv());
    }

    /// The last records, the latest at the end.
    pub fn last(&self) -> impl Iterator<Item = &Replacement> {
        self.last.iter()
    }

    /// How many there were in all.
    pub fn total(&self) -> u64 {
        self.total
    }

    fn send(&self, line: Line) {
        let lines = self.writer.as_ref().and_then(|writer| writer.lines.as_ref());
        // The thread ends after the sender, so there is somebody to receive it.
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

fn write_all(file: &Path, lines: &Receiver<Line>) {
    for line in lines {
        match line {
            Line::Record(record) => {
                if let Err(error) = write(file, &record) {
                    tracing::warn!(%error, file = %file.display(), "a replacement is not on record");
                }
            }
            // Whoever asked may have stopped waiting.
            Line::Flush(answer) => drop(answer.send(())),
        }
    }
}

/// The time of a record.
pub fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

/// A duration as a record has it.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn write(file: &Path, record: &Replacement) -> io::Result<()> {
    durable::append_line(file, &serde_json::to_vec(record)?, MOST)
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
            outcome: Outcome::Replaced,
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
