//! When what is seen counts. Pure: observations, readings and times go in.

mod entry;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    fingerprint::{Content, Fingerprint, Stamp},
    look::{Look, Seen},
    snapshot::{FolderState, Key, Snapshot},
};
use entry::Entry;

/// How long an incomplete library may stay as it is before that is said.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// What has not changed for so long when it is seen first is not being written now. More than
/// the coarsest clock of a file system.
const OLD: Duration = Duration::from_secs(2);

/// Makes snapshots of what was seen for long enough.
#[derive(Debug)]
pub(super) struct Settler {
    settle: Duration,
    entries: BTreeMap<Key, Entry>,
    folder: Steady<FolderState>,
    settled_folder: FolderState,
    has_looked: bool,
    published: Option<Snapshot>,
    /// Since when what has settled differs from what was published.
    differs_since: Option<Instant>,
}

/// A value, and when it counts if it stays.
#[derive(Debug)]
struct Steady<T> {
    value: T,
    ripe_at: Instant,
}

impl<T: PartialEq> Steady<T> {
    /// Whether it is new.
    fn see(&mut self, value: T, ripe_at: Instant) -> bool {
        if self.value == value {
            return false;
        }
        *self = Self { value, ripe_at };
        true
    }
}

impl Settler {
    pub(super) fn new(settle: Duration, now: Instant) -> Self {
        Self {
            settle,
            entries: BTreeMap::new(),
            folder: Steady { value: FolderState::Missing, ripe_at: now },
            settled_folder: FolderState::Missing,
            has_looked: false,
            published: None,
            differs_since: None,
        }
    }

    /// Takes in what a look has shown.
    pub(super) fn observe(&mut self, look: &Look, now: Instant) {
        let ripe_at = |at_once: bool| if at_once { now } else { now + self.settle };
        let first = !self.has_looked;
        let old = OLD.max(self.settle);
        self.folder.see(look.folder.clone(), ripe_at(first));
        self.entries.retain(|key, _| match key {
            Key::File(path) => look.files.contains(path),
            Key::Library(_) | Key::Sidecar(_) | Key::Signature(_) => true,
        });
        for (key, entry) in &mut self.entries {
            match look.at(key) {
                Seen::Is(stamp) => entry.see(Some(stamp), ripe_at(false)),
                Seen::Absent => entry.see(None, ripe_at(false)),
                Seen::Unsure => {}
            }
        }
        let known = look.found.keys().cloned().chain(look.files.iter().cloned().map(Key::File));
        for key in known {
            let stamp = look.found.get(&key).copied();
            let is_old = match (&stamp, &key) {
                (Some(stamp), _) if first => stamp.is_older_than(old, look.taken),
                // A file that is asked for later may have been there for long as well.
                (Some(stamp), Key::File(_)) => stamp.is_older_than(old, look.taken),
                (Some(_), _) => false,
                (None, _) => true,
            };
            let ripe_at = ripe_at(is_old);
            self.entries.entry(key).or_insert_with(|| Entry::new(stamp, ripe_at));
        }
        self.has_looked = true;
    }

    /// What has settled and is to be read now; each has to be answered with [`judge`](Self::judge).
    pub(super) fn due(&self, now: Instant) -> Vec<(Key, Stamp)> {
        let due = self.entries.iter();
        due.filter_map(|(key, entry)| Some((key.clone(), entry.due(now)?))).collect()
    }

    /// Takes in what a file holds; none if it changed while it was read.
    pub(super) fn judge(&mut self, key: &Key, content: Option<Content>, now: Instant) {
        let again_at = now + self.settle;
        if let Some(entry) = self.entries.get_mut(key) {
            entry.judge(content, again_at);
        }
    }

    /// A snapshot, if one is to be published.
    pub(super) fn publish(&mut self, now: Instant) -> Option<Snapshot> {
        if now >= self.folder.ripe_at {
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
        // A library and its settings, copied in one go, are to be seen in one go.
        if self.is_pending() && now < since + self.settle {
            return None;
        }
        self.differs_since = None;
        self.published = Some(snapshot.clone());
        Some(snapshot)
    }

    /// When the next thing is due, if nothing else happens.
    pub(super) fn next(&self) -> Option<Instant> {
        let folder = (self.folder.value != self.settled_folder).then_some(self.folder.ripe_at);
        let publish = self.differs_since.map(|since| since + self.settle);
        self.entries.values().filter_map(Entry::next).chain(folder).chain(publish).min()
    }

    /// Whether something is about to settle.
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
            // What is changing again is shown as it was shown last, even if it had settled
            // in between: it is no longer there.
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
