//! What is written while the process dies, and read when the next one starts.
//!
//! The file has records of one size. The first one is the handler's. Each of the others
//! belongs to a slot, and is filled while that slot's library is being loaded.

use std::{
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::{Crash, Doing, How, slots};

/// The size of a record, in bytes.
pub(super) const RECORD: usize = 512;

/// The size of the file at most.
pub(super) const CAP: u64 = (RECORD * (slots::COUNT + 1)) as u64;

/// The signal of a process that ended by `exit`.
pub(super) const EXIT: i32 = 0;

/// A line in the making, where nothing may be allocated. What does not fit is left out.
pub(super) struct Line {
    bytes: [u8; RECORD],
    length: usize,
}

impl Line {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; RECORD], length: 0 }
    }

    pub(super) fn byte(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
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

/// Who a slot belongs to: a part of each record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Who {
    pub(super) plugin: String,
    pub(super) hash: String,
    pub(super) file: String,
}

/// The handler's record.
#[derive(Debug, Deserialize)]
struct Note {
    signal: i32,
    /// In milliseconds since 1970, so that no two crashes of a host have the same.
    at: u64,
    doing: Option<Doing>,
    who: Option<Who>,
}

/// A slot's record.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LoadMark {
    /// The kernel's number for the time since the machine was started.
    pub(super) boot: String,
    /// In milliseconds since 1970.
    pub(super) at: u64,
    pub(super) who: Who,
}

/// How the process before came to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Well, or without leaving word.
    Nothing,
    /// By a signal, and no plugin is to blame.
    Unexplained { signal: i32 },
    /// A plugin is to blame.
    Crash(Crash),
}

/// Reads what a process left, `boot` being the number of the running machine.
pub(super) fn parse(text: &[u8], boot: &str) -> End {
    let mut records = text.chunks(RECORD).map(|record| {
        record.split(|byte| *byte == b'\n').next().filter(|line| line.starts_with(b"{"))
    });
    if let Some(line) = records.next().flatten() {
        return match serde_json::from_slice::<Note>(line) {
            Ok(note) => note.end(),
            Err(error) => {
                tracing::warn!(%error, "the note of the last crash can't be read");
                End::Nothing
            }
        };
    }
    let marks = records.flatten().filter_map(|line| serde_json::from_slice::<LoadMark>(line).ok());
    // A mark from before the machine was started says that the machine went down.
    let marks: Vec<_> = marks.filter(|mark| mark.boot == boot).collect();
    match <[_; 1]>::try_from(marks) {
        Ok([LoadMark { at, who, .. }]) => End::Crash(who.crash(How::Vanished, Doing::Loading, at)),
        // Of several that were being loaded, nobody knows which one it was.
        Err(_) => End::Nothing,
    }
}

impl Note {
    fn end(self) -> End {
        let Self { signal, at, doing, who } = self;
        match who.zip(doing) {
            // The host itself called it.
            None if signal == EXIT => End::Nothing,
            None => End::Unexplained { signal },
            Some((who, doing)) => {
                let how = if signal == EXIT { How::Exit } else { How::Signal(signal) };
                End::Crash(who.crash(how, doing, at))
            }
        }
    }
}

impl Who {
    fn crash(self, how: How, doing: Doing, at: u64) -> Crash {
        let Self { plugin, hash, file } = self;
        let when = UNIX_EPOCH.checked_add(Duration::from_millis(at)).unwrap_or(UNIX_EPOCH);
        Crash { plugin, hash, file: PathBuf::from(file), how, doing, when, settled: false }
    }
}

/// The kernel's number for the time since the machine was started; empty if it has none.
pub(super) fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}
