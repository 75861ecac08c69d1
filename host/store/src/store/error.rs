//! Why a store does not do what it is asked for.

use std::path::PathBuf;

use jiff::Timestamp;

use super::{Epoch, RunId};

/// Why a store does not do what it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another host is in charge of the plan.
    #[error(
        "{by} is in charge of the plan in this store; stop it, or give this host another store"
    )]
    Held {
        /// The host that is in charge.
        by: String,
        /// When its lease runs out, if it does not extend it.
        until: Timestamp,
    },
    /// The epoch is not the newest one, or was closed.
    #[error("epoch {epoch} of this host has ended: another host took over, or this one closed it")]
    Fenced {
        /// The epoch with which the host wanted to write.
        epoch: Epoch,
    },
    /// More is queued than the queue holds.
    #[error("the store has more to write than its queue holds; try again later")]
    Busy,
    /// A record contradicts what is stored.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The store can't be used now.
    #[error("the store {} can't be used: {failure}", path.display())]
    Unavailable {
        /// The file of the store.
        path: PathBuf,
        /// What is wrong.
        failure: Failure,
    },
    /// A file to be created exists.
    #[error("{} exists; name a file that does not", .0.display())]
    Exists(PathBuf),
    /// A file can't be written.
    #[error("{} can't be written: {reason}", path.display())]
    Target {
        /// The file.
        path: PathBuf,
        /// Why it can't be written.
        reason: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

/// A record that contradicts what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// There is no run of this number.
    #[error("there is no run {0}")]
    NoSuchRun(RunId),
    /// There is a run of this number already.
    #[error("there is a run {0} already")]
    RunExists(RunId),
    /// The run has ended.
    #[error("run {0} has ended")]
    HasEnded(RunId),
    /// An attempt of the run is under way.
    #[error("an attempt of run {0} is under way")]
    UnderWay(RunId),
    /// The attempt that was reported as ended is not under way.
    #[error("attempt {attempt} of run {run} is not under way")]
    NotUnderWay {
        /// The number of the run.
        run: RunId,
        /// The number of the attempt.
        attempt: u32,
    },
}

/// What an operator can do about a file that is damaged. What is left of a damaged file in its `-wal`
/// would be merged into a backup that takes its place.
pub const DAMAGE_REMEDY: &str = "stop the host, keep a copy, remove it with its `-wal` and `-shm`, \
     and put a backup in its place or begin anew";

/// What is wrong with a store that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// No room is left.
    #[error("no room is left on its disk; make room, and the host goes on by itself")]
    Full,
    /// Another process has locked it.
    #[error("another process has locked it; end that process, and the host goes on by itself")]
    Locked,
    /// It can only be read.
    #[error(
        "it is read-only; make its file, folder and file system writable, and the host goes on by \
         itself"
    )]
    ReadOnly,
    /// Its file is not where it was.
    #[error(
        "its file was removed or replaced while the host runs; put it back, or start the host again"
    )]
    Removed,
    /// The operating system reports an error.
    #[error("{0}; see the system's log about its disk")]
    Io(String),
    /// Its content is damaged.
    #[error("it is damaged ({0}); {remedy}", remedy = DAMAGE_REMEDY)]
    Damaged(String),
    /// Something else.
    #[error("{0}")]
    Other(String),
}
