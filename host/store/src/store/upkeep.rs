//! How a store is kept small and sound.

use std::{path::PathBuf, time::Duration};

use jiff::Timestamp;

use super::Failure;

/// Which runs are kept. Runs that have not ended always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// A run that ended longer ago is removed; `None` for no limit.
    pub max_age: Option<Duration>,
    /// The runs of a task beyond this number are removed, oldest first; `None` for no limit.
    pub max_runs_per_task: Option<u64>,
    /// This many runs of each task are kept however old they are; at least one.
    pub keep_at_least: u64,
}

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// The number of runs.
    pub runs: u64,
    /// More runs are to be removed.
    pub has_more: bool,
}

/// How much a store holds, and how far its writing is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// The number of runs that are stored.
    pub runs: u64,
    /// Of these, the number of runs that have not ended.
    pub live_runs: u64,
    /// The number of lines of logs.
    pub log_lines: u64,
    /// The size of its file in bytes, without what is to be merged into it.
    pub file_bytes: u64,
    /// The size of what is to be merged into the file, in bytes.
    pub wal_bytes: u64,
    /// The part of the file that is free to be used again, in bytes.
    pub free_bytes: u64,
    /// The number of batches that are queued.
    pub queued_batches: u64,
    /// For how long the oldest of them has been queued.
    pub lag: Duration,
}

/// Whether a store can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// The last write was successful, or there was none.
    Good,
    /// Writes have failed since this time.
    Failing {
        /// When the first of them failed.
        since: Timestamp,
        /// Why the last one failed.
        reason: Failure,
    },
}

/// What an examination of a store found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// The file.
    pub path: PathBuf,
    /// The version of the library that manages the file.
    pub library: String,
    /// The version of the schema.
    pub schema: u32,
    /// What is wrong with the content, at most a hundred faults.
    pub faults: Vec<String>,
    /// The room that is left on the disk, in bytes.
    pub free_disk_bytes: u64,
}
