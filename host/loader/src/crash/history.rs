//! The crashes that are remembered: `crashes.json` in the state folder.

use std::{collections::BTreeSet, fs, io, path::Path, time::SystemTime};

use hotbay_store::durable;
use serde::{Deserialize, Serialize};

use super::{Crash, SHORTLY, TOO_OFTEN};

const NAME: &str = "crashes.json";

/// As many as are remembered.
const MOST: usize = 100;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct History {
    crashes: Vec<Crash>,
}

impl History {
    /// Nothing is remembered if there is no file. A damaged one is set aside.
    pub(super) fn read(folder: &Path) -> io::Result<Self> {
        let path = folder.join(NAME);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        match serde_json::from_slice(&text) {
            Ok(history) => Ok(history),
            Err(error) => {
                let aside = folder.join("crashes.damaged.json");
                fs::rename(&path, &aside)?;
                tracing::warn!(%error, kept = %aside.display(),
                    "the history of crashes is damaged and was set aside");
                Ok(Self::default())
            }
        }
    }

    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        durable::replace_json(&folder.join(NAME), self)
    }

    pub(super) fn crashes(&self) -> &[Crash] {
        &self.crashes
    }

    pub(super) fn add(&mut self, crash: Crash) {
        // A start that was cut short after it had remembered the crash finds its note again.
        if self.crashes.last() == Some(&crash) {
            return;
        }
        self.crashes.push(crash);
        let too_many = self.crashes.len().saturating_sub(MOST);
        self.crashes.drain(..too_many);
    }

    /// The last crash of each build that crashed too often shortly before.
    pub(super) fn suspects(&self, now: SystemTime) -> Vec<Crash> {
        let is_recent = |crash: &&Crash| {
            // One that is still to come was just now, before the clock was set back.
            let ago = now.duration_since(crash.when).unwrap_or_default();
            !crash.settled && ago <= SHORTLY
        };
        let recent: Vec<_> = self.crashes.iter().filter(is_recent).collect();
        let hashes: BTreeSet<_> = recent.iter().map(|crash| &crash.hash).collect();
        let of = |hash| recent.iter().filter(move |crash| &crash.hash == hash);
        let often = hashes.into_iter().filter(|hash| of(*hash).count() >= TOO_OFTEN);
        often.filter_map(|hash| of(hash).next_back().map(|crash| Crash::clone(crash))).collect()
    }

    /// Notes that a build's crashes had their consequence.
    pub(super) fn settle(&mut self, hash: &str) {
        let of_build = self.crashes.iter_mut().filter(|crash| crash.hash == hash);
        of_build.for_each(|crash| crash.settled = true);
    }
}
