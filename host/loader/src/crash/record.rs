//! The records of the report, written while the process dies and parsed by the next process.
//!
//! The report consists of records of one size. The first record is that of the signal handler.
//! Each of the others belongs to a slot, and is filled while the library of that slot is being
//! loaded.

use std::{
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::{Crash, Phase, Termination};

/// The size of a record in bytes.
pub(super) const RECORD_BYTES: usize = 512;

/// The number of builds that can be known at once. More builds can run, but no crash is
/// attributed to them.
pub(super) const COUNT: usize = 256;

/// The size of the largest report in bytes.
pub(super) const MAX_BYTES: u64 = (RECORD_BYTES * (COUNT + 1)) as u64;

/// The signal number in the record of a process that called `exit`.
pub(super) const EXIT: i32 = 0;

/// A line that is built without an allocation, for the signal handler. What does not fit is left
/// out.
pub(super) struct LineBuffer {
    bytes: [u8; RECORD_BYTES],
    length: usize,
}

impl LineBuffer {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; RECORD_BYTES], length: 0 }
    }

    pub(super) fn byte(&mut self, byte: u8) {
        if let Some(next) = self.bytes.get_mut(self.length) {
            *next = byte;
            self.length += 1;
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.byte(byte));
    }

    pub(super) fn number(&mut self, number: u64) {
        if number >= 10 {
            self.number(number / 10);
        }
        self.byte(b"0123456789"[(number % 10) as usize]);
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Identifies the build of a slot, as part of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BuildId {
    pub(super) plugin: String,
    pub(super) hash: String,
    pub(super) file: String,
}

/// The record of the signal handler.
#[derive(Debug, Deserialize)]
struct SignalRecord {
    signal: i32,
    /// The time in milliseconds since 1970, so that two crashes of a host have different times.
    at: u64,
    doing: Option<Phase>,
    who: Option<BuildId>,
}

/// The record of a slot.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LoadRecord {
    /// The kernel's id of the boot.
    pub(super) boot: String,
    /// The time in milliseconds since 1970.
    pub(super) at: u64,
    pub(super) who: BuildId,
}

/// How the previous process ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LastExit {
    /// The process ended without a crash, or was killed and left no record.
    Clean,
    /// The host itself ended the process at once, as it was told to.
    Told,
    /// The process died of a signal for which no plugin was responsible.
    Unattributed { signal: i32 },
    /// The process ended because of a plugin.
    Crash(Crash),
}

/// Parses the report of the previous process. `boot` is the id of the current boot.
pub(super) fn parse(text: &[u8], boot: &str) -> LastExit {
    let mut records = text.chunks(RECORD_BYTES).map(|record| {
        record.split(|byte| *byte == b'\n').next().filter(|line| line.starts_with(b"{"))
    });
    if let Some(line) = records.next().flatten() {
        return match serde_json::from_slice::<SignalRecord>(line) {
            Ok(record) => record.last_exit(),
            Err(error) => {
                tracing::warn!(%error, "the report of the last crash can't be read");
                LastExit::Clean
            }
        };
    }
    let loads =
        records.flatten().filter_map(|line| serde_json::from_slice::<LoadRecord>(line).ok());
    // A record of another boot means that the machine went down during the load.
    let loads: Vec<_> = loads.filter(|load| load.boot == boot).collect();
    match <[_; 1]>::try_from(loads) {
        Ok([LoadRecord { at, who, .. }]) => {
            LastExit::Crash(who.crash(Termination::Vanished, Phase::Loading, at))
        }
        // If several libraries were being loaded, nobody knows which one ended the process.
        Err(_) => LastExit::Clean,
    }
}

impl SignalRecord {
    fn last_exit(self) -> LastExit {
        let Self { signal, at, doing, who } = self;
        match who.zip(doing) {
            None if signal == EXIT => LastExit::Told,
            None => LastExit::Unattributed { signal },
            Some((who, doing)) => {
                let how =
                    if signal == EXIT { Termination::Exit } else { Termination::Signal(signal) };
                LastExit::Crash(who.crash(how, doing, at))
            }
        }
    }
}

impl BuildId {
    fn crash(self, how: Termination, doing: Phase, at: u64) -> Crash {
        let Self { plugin, hash, file } = self;
        let when = UNIX_EPOCH.checked_add(Duration::from_millis(at)).unwrap_or(UNIX_EPOCH);
        Crash { plugin, hash, file: PathBuf::from(file), how, doing, when, settled: false }
    }
}

/// Returns the kernel's id of the current boot, or an empty text if it has none.
pub(super) fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}
