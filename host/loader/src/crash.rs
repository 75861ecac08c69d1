//! Which plugin brought the host down, said at the next start.
//!
//! When the process is about to die of a signal, a handler writes who is to blame into a file
//! that was opened before, and lets the signal take its course: exit status and core dump are
//! those that they would have been. The next start reads it, keeps a history, and puts a
//! build that did so three times within five minutes into quarantine.
//!
//! To blame is, in this order:
//!
//! 1. the plugin in whose code the fault is;
//! 2. the plugin in whose bay the thread is: a bay runs the code of one plugin and nothing
//!    else, so this covers what it calls in the host and in the C library as well;
//! 3. for a thread that a plugin made itself, the plugin that the nearest return address on
//!    the stack lies in.
//!
//! A plugin that calls `exit` is found in the same way. Where nobody is to blame, nobody is
//! blamed: not for a signal that another process sent, and not for `SIGKILL` or a power cut,
//! of which the process learns nothing. One exception: a process that vanished without a
//! trace *while it loaded* a library, on a machine that has not been started since, is taken
//! to have died of that library. Most likely it called `_exit`; that the process was killed
//! within the few milliseconds of a load, three times in five minutes, is not likely.
//!
//! `hotbay run` keeps a [`CrashLedger`]. A program that embeds the host may as well; without
//! one, no handler is installed.
//!
//! All plugins share one memory, so this can be wrong: who corrupts the heap is not who
//! finds it corrupt. And a stack that overflows on a thread that a plugin made leaves no
//! stack for a handler; that one stays without a name, as does who calls `_exit` while it runs.

mod event;
mod history;
mod note;
mod signals;
mod slots;
#[cfg(test)]
mod tests;

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::PathBuf,
    time::{Duration, SystemTime},
};

use hotbay_store::durable;

use super::{Held, Quarantine};
use event::{lossy, signal_name};
use history::History;
use note::End;

pub use event::{Crash, Doing, How};
pub(crate) use slots::{Mark, Resident};

/// How many crashes are too many.
const TOO_OFTEN: usize = 3;

/// Within which time.
const SHORTLY: Duration = Duration::from_secs(5 * 60);

/// What the handler writes into.
const NOTE: &str = "crash-note";

/// The memory of crashes, in the host's state folder. One process has one at most; while it
/// is there, crashes are noted. Dropping it says that the host ended well.
#[derive(Debug)]
pub struct CrashLedger {
    folder: PathBuf,
    /// Locked, so that no other process takes the note of this one for that of a dead one.
    note: File,
    history: History,
    attributed: Option<Crash>,
}

impl CrashLedger {
    /// Reads what became of the process before, and notes crashes from now on. Handlers for
    /// the fatal signals stay installed for the rest of the process.
    ///
    /// # Errors
    /// If the state folder can't be written, or another host uses it
    /// ([`io::ErrorKind::WouldBlock`]).
    pub fn open(state_folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = state_folder.into();
        durable::make_folder(&folder)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true).mode(0o600);
        let mut note = options.open(folder.join(NOTE))?;
        note.try_lock().map_err(io::Error::from)?;
        let mut text = Vec::new();
        (&mut note).take(note::CAP).read_to_end(&mut text)?;
        let mut history = History::read(&folder)?;
        let attributed = match note::parse(&text, &note::boot_id()) {
            End::Nothing => None,
            End::Unexplained { signal } => {
                tracing::warn!(signal = %signal_name(signal),
                    "the host crashed when it ran last; no plugin is known to be to blame");
                None
            }
            End::Crash(crash) => {
                history.add(crash.clone());
                history.write(&folder)?;
                Some(crash)
            }
        };
        note.set_len(0)?;
        signals::install();
        slots::begin(note.try_clone()?);
        signals::begin(note.as_raw_fd());
        Ok(Self { folder, note, history, attributed })
    }

    /// Has crashes said on standard error, without a memory of them. For hosts that don't
    /// live long.
    pub fn say_only() {
        signals::install();
    }

    /// The plugin that is to blame for the end of the process before.
    pub fn attributed(&self) -> Option<&Crash> {
        self.attributed.as_ref()
    }

    /// The crashes that are remembered, the oldest first.
    pub fn history(&self) -> &[Crash] {
        self.history.crashes()
    }

    /// The last crash of each build that crashed too often shortly before `now`, and is
    /// not in quarantine for it yet.
    pub fn suspects(&self, now: SystemTime) -> Vec<Crash> {
        self.history.suspects(now)
    }

    /// Puts the suspects into quarantine, and gives them.
    ///
    /// # Errors
    /// If the state folder can't be written.
    pub fn quarantine_suspects(&mut self, now: SystemTime) -> io::Result<Vec<Crash>> {
        let suspects = self.suspects(now);
        let quarantine = Quarantine::open(&self.folder);
        for crash in &suspects {
            let Crash { plugin, hash, file, .. } = crash.clone();
            let minutes = SHORTLY.as_secs() / 60;
            let reason = format!("{TOO_OFTEN} times in {minutes} minutes, the last time {crash}");
            let reason = format!("brought the host down {reason}");
            quarantine.add(Held { hash, file, plugin, reason, since: now })?;
            // Whoever releases it wants it tried, not judged for the same again.
            self.history.settle(&crash.hash);
        }
        if !suspects.is_empty() {
            self.history.write(&self.folder)?;
        }
        Ok(suspects)
    }
}

impl Drop for CrashLedger {
    fn drop(&mut self) {
        signals::end();
        slots::end();
        if let Err(error) = self.note.set_len(0) {
            tracing::warn!(%error, "the note of crashes can't be emptied");
        }
    }
}
