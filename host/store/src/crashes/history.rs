//! The history as a file, and the builds that it makes suspects.

use std::{
    collections::BTreeSet,
    io,
    time::{Duration, SystemTime},
};

use hotbay_access::CheckedFolder;
use serde::{Deserialize, Serialize};

use super::Crash;
use crate::durable;

/// The number of crashes within [`SUSPECT_WINDOW`] that make a build a suspect.
pub const SUSPECT_CRASHES: usize = 3;

/// The time within which [`SUSPECT_CRASHES`] crashes make a build a suspect.
pub const SUSPECT_WINDOW: Duration = Duration::from_secs(5 * 60);

const NAME: &str = "crashes.json";

/// The number of crashes that are kept.
const MAX_CRASHES: usize = 100;

/// The number of bytes that are read at most; more than a full history takes.
const MAX_BYTES: u64 = 1 << 20;

/// The latest crashes of one host, at most a hundred.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct CrashHistory {
    crashes: Vec<Crash>,
}

impl CrashHistory {
    /// Reads the history of a state folder. A file that does not exist is an empty history, and
    /// so is a file that is damaged or could be another user's, which is moved aside.
    ///
    /// # Errors
    /// If the file cannot be read, or cannot be moved aside.
    pub fn read(folder: &CheckedFolder) -> io::Result<Self> {
        durable::read_json(folder, NAME, MAX_BYTES)?.or_else(|reason| {
            let kept = durable::set_aside(folder, NAME)?;
            tracing::warn!(%reason, kept,
                "the history of crashes is damaged and was set aside");
            Ok(Self::default())
        })
    }

    /// Writes the history into a state folder.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn write(&self, folder: &CheckedFolder) -> io::Result<()> {
        durable::replace_json(folder, NAME, self)
    }

    /// Returns the crashes, the oldest first.
    pub fn crashes(&self) -> &[Crash] {
        &self.crashes
    }

    /// Adds a crash, unless it is the latest one already. The oldest crash is removed if there
    /// are too many.
    pub fn add(&mut self, crash: Crash) {
        // A start that was killed after it had written the history finds the same record again.
        if self.crashes.last() == Some(&crash) {
            return;
        }
        self.crashes.push(crash);
        let excess = self.crashes.len().saturating_sub(MAX_CRASHES);
        self.crashes.drain(..excess);
    }

    /// Returns the latest crash of each build that crashed too often shortly before `now`.
    pub fn suspects(&self, now: SystemTime) -> Vec<Crash> {
        let is_recent = |crash: &&Crash| {
            // A time in the future means that the clock was set back since: the crash is recent.
            let age = now.duration_since(crash.when).unwrap_or_default();
            !crash.settled && age <= SUSPECT_WINDOW
        };
        let recent: Vec<_> = self.crashes.iter().filter(is_recent).collect();
        let hashes: BTreeSet<_> = recent.iter().map(|crash| &crash.hash).collect();
        let of = |hash| recent.iter().filter(move |crash| &crash.hash == hash);
        let often = hashes.into_iter().filter(|hash| of(*hash).count() >= SUSPECT_CRASHES);
        often.filter_map(|hash| of(hash).next_back().map(|crash| Crash::clone(crash))).collect()
    }

    /// Marks the crashes of a build as settled, so that they do not make it a suspect again.
    pub fn settle(&mut self, hash: &str) {
        let of_build = self.crashes.iter_mut().filter(|crash| crash.hash == hash);
        of_build.for_each(|crash| crash.settled = true);
    }
}
