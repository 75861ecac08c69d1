//! The state of one file that is settled or settling.

use std::time::Instant;

use super::{Content, Fingerprint, INCOMPLETE_LIMIT, Settling, Stamp};

/// The last scan of a file, and its settled content.
#[derive(Debug)]
pub(super) struct Entry {
    seen: Settling<Option<Stamp>>,
    /// The content of a library that lacks a part, which is held back until it is complete.
    held: Option<Content>,
    settled: Option<Fingerprint>,
}

impl Entry {
    pub(super) fn new(stamp: Option<Stamp>, settled_at: Instant) -> Self {
        Self { seen: Settling { value: stamp, settled_at }, held: None, settled: None }
    }

    pub(super) fn see(&mut self, stamp: Option<Stamp>, settled_at: Instant) {
        if self.seen.see(stamp, settled_at) {
            self.held = None;
        }
    }

    /// Returns the stamp if the file is to be read now.
    pub(super) fn due(&self, now: Instant) -> Option<Stamp> {
        let stamp = self.seen.value?;
        (self.is_pending() && now >= self.seen.settled_at).then_some(stamp)
    }

    pub(super) fn judge(&mut self, content: Option<Content>, again_at: Instant) {
        let Some(stamp) = self.seen.value else { return };
        match content {
            None => self.seen.settled_at = again_at,
            Some(content @ Content::Incomplete(_)) => self.held = Some(content),
            Some(content) => self.settled = Some(Fingerprint { stamp, content }),
        }
    }

    /// Makes the transitions that only depend on time.
    pub(super) fn advance(&mut self, now: Instant) {
        match self.seen.value {
            None if now >= self.seen.settled_at => self.settled = None,
            Some(stamp) if now >= self.seen.settled_at + INCOMPLETE_LIMIT => {
                let held = self.held.clone();
                self.settled =
                    held.map(|content| Fingerprint { stamp, content }).or(self.settled.take());
            }
            _ => {}
        }
    }

    /// Returns the time at which the file is due, or changes its state.
    pub(super) fn next(&self) -> Option<Instant> {
        match self.held {
            _ if self.is_settled() => None,
            None => Some(self.seen.settled_at),
            Some(_) => Some(self.seen.settled_at + INCOMPLETE_LIMIT),
        }
    }

    /// Returns `true` if the file is about to settle. An incomplete file is not waited for.
    pub(super) fn is_pending(&self) -> bool {
        !self.is_settled() && self.held.is_none()
    }

    /// Returns `true` if the file has been missing for the settle time.
    pub(super) fn is_gone(&self) -> bool {
        self.seen.value.is_none() && self.settled.is_none()
    }

    pub(super) fn settled(&self) -> Option<&Fingerprint> {
        self.settled.as_ref()
    }

    /// Returns `true` if the settled content is that of the last scan.
    pub(super) fn is_settled(&self) -> bool {
        self.seen.value == self.settled.as_ref().map(|it| it.stamp)
    }
}
