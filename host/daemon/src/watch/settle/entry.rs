//! One file on its way to being settled.

use std::time::Instant;

use super::{Content, Fingerprint, PATIENCE, Stamp, Steady};

/// What is seen of a file now, and what counts.
#[derive(Debug)]
pub(super) struct Entry {
    seen: Steady<Option<Stamp>>,
    /// What was read of a library that lacks a part. It waits for its writer.
    held: Option<Content>,
    settled: Option<Fingerprint>,
}

impl Entry {
    pub(super) fn new(stamp: Option<Stamp>, ripe_at: Instant) -> Self {
        Self { seen: Steady { value: stamp, ripe_at }, held: None, settled: None }
    }

    pub(super) fn see(&mut self, stamp: Option<Stamp>, ripe_at: Instant) {
        if self.seen.see(stamp, ripe_at) {
            self.held = None;
        }
    }

    /// The stamp, if what bears it is to be read now.
    pub(super) fn due(&self, now: Instant) -> Option<Stamp> {
        let stamp = self.seen.value?;
        (self.is_pending() && now >= self.seen.ripe_at).then_some(stamp)
    }

    pub(super) fn judge(&mut self, content: Option<Content>, again_at: Instant) {
        let Some(stamp) = self.seen.value else { return };
        match content {
            None => self.seen.ripe_at = again_at,
            Some(content @ Content::Incomplete(_)) => self.held = Some(content),
            Some(content) => self.settled = Some(Fingerprint { stamp, content }),
        }
    }

    /// Lets happen what only takes time.
    pub(super) fn advance(&mut self, now: Instant) {
        match self.seen.value {
            None if now >= self.seen.ripe_at => self.settled = None,
            Some(stamp) if now >= self.seen.ripe_at + PATIENCE => {
                let held = self.held.clone();
                self.settled =
                    held.map(|content| Fingerprint { stamp, content }).or(self.settled.take());
            }
            _ => {}
        }
    }

    /// When something is due.
    pub(super) fn next(&self) -> Option<Instant> {
        match self.held {
            _ if self.is_settled() => None,
            None => Some(self.seen.ripe_at),
            Some(_) => Some(self.seen.ripe_at + PATIENCE),
        }
    }

    /// Whether it is about to settle. Nobody should wait for one that is held.
    pub(super) fn is_pending(&self) -> bool {
        !self.is_settled() && self.held.is_none()
    }

    /// Whether it is not there, and was not there for long enough.
    pub(super) fn is_gone(&self) -> bool {
        self.seen.value.is_none() && self.settled.is_none()
    }

    pub(super) fn settled(&self) -> Option<&Fingerprint> {
        self.settled.as_ref()
    }

    /// Whether what counts is what is there.
    pub(super) fn is_settled(&self) -> bool {
        self.seen.value == self.settled.as_ref().map(|it| it.stamp)
    }
}
