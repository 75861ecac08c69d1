//! Deciding when a change has settled.
//!
//! A file is *pending* when a scan shows it with a new stamp. When the stamp has not changed for the
//! settle time, the file is due to be read. Its content then makes it *settled*; or it is *held*, if
//! the library lacks a part, until it changes or [`INCOMPLETE_LIMIT`] is over; or it is pending again,
//! if it changed while it was read. A file that is missing for the settle time is *gone*.
//!
//! Scans, contents and times are the input, snapshots the output. There is no I/O and no clock.

mod entry;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use hotbay_core::FOREVER;

use super::{
    fingerprint::{Content, Fingerprint, Stamp},
    scan::{Scan, Seen},
    snapshot::{FolderState, Key, Snapshot},
};
use entry::Entry;

/// The time after which an incomplete library that does not change is reported as incomplete.
pub(super) const INCOMPLETE_LIMIT: Duration = Duration::from_secs(30);

/// A file whose last change is older than this when it is first seen is not being written. Longer than
/// the coarsest clock of a file system.
const MIN_AGE: Duration = Duration::from_secs(2);

/// Makes snapshots of everything that has settled.
#[derive(Debug)]
pub(super) struct Settler {
    settle: Duration,
    entries: BTreeMap<Key, Entry>,
    folder: Settling<FolderState>,
    settled_folder: FolderState,
    has_scanned: bool,
    published: Option<Snapshot>,
    /// The time since which the settled files differ from the snapshot that was published.
    differs_since: Option<Instant>,
}

/// A value, and the time at which it has settled if it does not change until then.
#[derive(Debug)]
struct Settling<T> {
    value: T,
    settled_at: Instant,
}

impl<T: PartialEq> Settling<T> {
    /// Takes in a value. Returns `true` if it has changed.
    fn see(&mut self, value: T, settled_at: Instant) -> bool {
        if self.value == value {
            return false;
        }
        *self = Self { value, settled_at };
        true
    }
}

impl Settler {
    pub(super) fn new(settle: Duration, now: Instant) -> Self {
        Self {
            settle: settle.min(FOREVER),
            entries: BTreeMap::new(),
            folder: Settling { value: FolderState::Missing, settled_at: now },
            settled_folder: FolderState::Missing,
            has_scanned: false,
            published: None,
            differs_since: None,
        }
    }

    /// Takes in the result of a scan.
    pub(super) fn observe(&mut self, scan: &Scan, now: Instant) {
        let settled_at = |at_once: bool| if at_once { now } else { now + self.settle };
        let first = !self.has_scanned;
        let min_age = MIN_AGE.max(self.settle);
        self.folder.see(scan.folder.clone(), settled_at(first));
        self.entries.retain(|key, _| match key {
            Key::File(path) => scan.files.contains(path),
            Key::Library(_) | Key::Sidecar(_) | Key::Signature(_) => true,
        });
        for (key, entry) in &mut self.entries {
            match scan.at(key) {
                Seen::Is(stamp) => entry.see(Some(stamp), settled_at(false)),
                Seen::Absent => entry.see(None, settled_at(false)),
                Seen::Unsure => {}
            }
        }
        let known = scan.found.keys().cloned().chain(scan.files.iter().cloned().map(Key::File));
        for key in known {
            let stamp = scan.found.get(&key).copied();
            let is_old = match (&stamp, &key) {
                (Some(stamp), _) if first => stamp.is_older_than(min_age, scan.started),
                // A file that is added to the watch later may be old as well.
                (Some(stamp), Key::File(_)) => stamp.is_older_than(min_age, scan.started),
                (Some(_), _) => false,
                (None, _) => true,
            };
            let settled_at = settled_at(is_old);
            self.entries.entry(key).or_insert_with(|| Entry::new(stamp, settled_at));
        }
        self.has_scanned = true;
    }

    /// Returns the files that are to be read now. The content of each has to be reported with
    /// [`judge`](Self::judge).
    pub(super) fn due(&self, now: Instant) -> Vec<(Key, Stamp)> {
        let due = self.entries.iter();
        due.filter_map(|(key, entry)| Some((key.clone(), entry.due(now)?))).collect()
    }

    /// Takes in the content of a file, or `None` if the file changed while it was read.
    pub(super) fn judge(&mut self, key: &Key, content: Option<Content>, now: Instant) {
        let again_at = now + self.settle;
        if let Some(entry) = self.entries.get_mut(key) {
            entry.judge(content, again_at);
        }
    }

    /// Returns a new snapshot, if one is to be published.
    pub(super) fn publish(&mut self, now: Instant) -> Option<Snapshot> {
        if now >= self.folder.settled_at {
            self.settled_folder = self.folder.value.clone();
        }
        self.entries.values_mut().for_each(|entry| entry.advance(now));
        self.entries.retain(|key, entry| !key.is_in_folder() || !entry.is_gone());
        let snapshot = self.snapshot();
        if self.published.as_ref() == Some(&snapshot) {
            self.differs_since = None;
            return None;
        }
        let since = *self.differs_since.get_or_insert(now);
        // A library and its settings that are copied together are to appear together.
        if self.is_pending() && now < since + self.settle {
            return None;
        }
        self.differs_since = None;
        self.published = Some(snapshot.clone());
        Some(snapshot)
    }

    /// Returns the time at which something is due if no event comes before.
    pub(super) fn next(&self) -> Option<Instant> {
        let folder = (self.folder.value != self.settled_folder).then_some(self.folder.settled_at);
        let publish = self.differs_since.map(|since| since + self.settle);
        self.entries.values().filter_map(Entry::next).chain(folder).chain(publish).min()
    }

    /// Returns `true` if something is about to settle.
    fn is_pending(&self) -> bool {
        self.folder.value != self.settled_folder || self.entries.values().any(Entry::is_pending)
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot {
            folder: self.settled_folder.clone(),
            libraries: BTreeMap::new(),
            sidecars: BTreeMap::new(),
            signatures: BTreeMap::new(),
            files: BTreeMap::new(),
        };
        for (key, entry) in &self.entries {
            // A file that is changing again keeps the content that was published last, even if it
            // had settled with another content in between, which does not exist any more.
            let shown = if entry.is_settled() {
                entry.settled()
            } else {
                self.published.as_ref().and_then(|published| published.at(key))
            };
            snapshot.put(key, shown.cloned());
        }
        snapshot
    }
}
