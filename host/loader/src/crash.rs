//! Attributes a crash to the plugin that brought the host process down.
//!
//! When the process is about to die of a signal, a handler writes a record of the responsible
//! plugin into a file that was opened before, and lets the signal take its course: exit status
//! and core dump are those that they would have been. The next start reads the record, adds it to
//! the history, and puts a build that crashed three times within five minutes into quarantine.
//!
//! The responsible plugin is, in this order:
//!
//! 1. the plugin whose code raised the fault;
//! 2. the plugin whose bay the thread belongs to: a bay runs the code of one plugin only, so this
//!    covers what the plugin calls in the host and in the C library;
//! 3. for a thread that a plugin started itself, the plugin that contains the nearest return
//!    address on the stack.
//!
//! A plugin that calls `exit` is found in the same way. A crash for which no plugin is
//! responsible is attributed to none. In particular, a signal from another process is attributed
//! to none, and `SIGKILL` and power failures leave no record at all. There is one exception: if a
//! process vanished without a record *while it loaded* a library, and the machine was not started
//! since, the crash is attributed to that library. Most likely the library called `_exit`. That a
//! process is killed within the few milliseconds of a load, three times in five minutes, is not
//! likely.
//!
//! `hotbay run` opens a [`CrashLedger`], and a program that embeds the host can do so too.
//! Without a ledger, no handler is installed.
//!
//! All plugins share one address space, so the attribution can be wrong: the code that corrupts
//! the heap is not the code that finds it corrupt. A stack overflow on a thread that a plugin
//! started leaves no stack for a handler, and a plugin that calls `_exit` while it runs leaves no
//! record; such a crash is not attributed.
//!
//! Everything that a signal handler reads or calls is async-signal-safe: atomics instead of
//! locks, and no allocation. Only `slots::REPORT`, which no handler uses, is behind a lock.

mod record;
mod signal_text;
mod signals;
mod slots;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{self, Read},
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    time::SystemTime,
};

use hotbay_access::{CheckedFolder, Missing};
use hotbay_store::{
    crashes::{
        Crash, CrashHistory, Phase, SUSPECT_CRASHES, SUSPECT_WINDOW, Termination, signal_name,
    },
    quarantine::{Quarantine, QuarantinedBuild},
};

use record::LastExit;

pub use signals::exit_at_once;
pub(crate) use slots::{SlotGuard, SlotId};

/// The name of the report in the state folder, which the handler writes to.
const REPORT: &str = "crash-note";

/// Records crashes in the state folder of a host, and reads the records of earlier ones.
///
/// A process has one ledger at most. Crashes are recorded while it exists. Dropping it records that
/// the host ended without a crash.
#[derive(Debug)]
pub struct CrashLedger {
    path: PathBuf,
    folder: CheckedFolder,
    /// Locked, so that no other process takes the report of this process for that of a dead one.
    report: File,
    history: CrashHistory,
    attributed: Option<Crash>,
    was_told: bool,
}

impl CrashLedger {
    /// Reads how the previous process ended, and records crashes of this process from now on.
    ///
    /// The handlers for fatal signals stay installed for the rest of the process.
    ///
    /// # Errors
    /// If the state folder cannot be written, if another user could have written it
    /// ([`io::ErrorKind::PermissionDenied`]), or if another host uses it
    /// ([`io::ErrorKind::WouldBlock`]).
    pub fn open(state_folder: impl Into<PathBuf>) -> io::Result<Self> {
        let path = state_folder.into();
        let folder = CheckedFolder::private(&path, Missing::IsMade)?;
        let report = folder.open_to_write(REPORT.as_ref());
        let mut report = report.map_err(|refusal| match refusal.is_by_check() {
            true => {
                let text = refusal.of_own_file(&path.join(REPORT));
                io::Error::new(io::ErrorKind::PermissionDenied, text)
            }
            false => refusal.into(),
        })?;
        report.try_lock().map_err(io::Error::from)?;
        let mut text = Vec::new();
        (&mut report).take(record::MAX_BYTES).read_to_end(&mut text)?;
        let mut history = CrashHistory::read(&folder)?;
        let last = record::parse(&text, &record::boot_id());
        let was_told = matches!(last, LastExit::Told);
        let attributed = match last {
            LastExit::Clean | LastExit::Told => None,
            LastExit::Unattributed { signal } => {
                tracing::warn!(signal = %signal_name(signal),
                    "the host crashed when it ran last; no plugin is known to be to blame");
                None
            }
            LastExit::Crash(crash) => {
                history.add(crash.clone());
                history.write(&folder)?;
                Some(crash)
            }
        };
        report.set_len(0)?;
        signals::install();
        slots::begin(report.try_clone()?);
        signals::begin(report.as_raw_fd());
        Ok(Self { path, folder, report, history, attributed, was_told })
    }

    /// Writes crashes to standard error only, without a record of them. For hosts that run for a
    /// short time.
    pub fn say_only() {
        signals::install();
    }

    /// Returns the crash that ended the previous process, if a plugin was responsible.
    pub fn attributed(&self) -> Option<&Crash> {
        self.attributed.as_ref()
    }

    /// Returns `true` if the previous process ended at once because it was [told](exit_at_once) to.
    pub fn was_told_to_end(&self) -> bool {
        self.was_told
    }

    /// Puts each build that crashed too often shortly before `now` into quarantine, and returns the
    /// latest crash of each of them. A build is not put into quarantine twice for the same crashes.
    ///
    /// # Errors
    /// If the state folder cannot be written.
    pub fn quarantine_suspects(&mut self, now: SystemTime) -> io::Result<Vec<Crash>> {
        let suspects = self.history.suspects(now);
        let quarantine = Quarantine::open(&self.path);
        for crash in &suspects {
            let Crash { plugin, hash, file, .. } = crash.clone();
            let minutes = SUSPECT_WINDOW.as_secs() / 60;
            let reason = format!(
                "brought the host down {SUSPECT_CRASHES} times in {minutes} minutes, the last time \
                 {crash}"
            );
            quarantine.add(QuarantinedBuild {
                hash,
                file,
                plugin,
                reason,
                since: now,
                limit: None,
            })?;
            // A user who releases the build wants it to be tried, not judged for the same crashes.
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
        if let Err(error) = self.report.set_len(0) {
            tracing::warn!(%error, "the report of crashes can't be emptied");
        }
    }
}

/// Converts a path to text, with replacement characters where it is not UTF-8.
fn lossy(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
