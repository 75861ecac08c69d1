//! How long to wait for sources that send nothing: without a limit in a replay, limited live.

use std::time::Duration;

use hotbay_plugin_api::Mode;

use crate::merge::{Key, Merge, Patience};

#[derive(Debug)]
pub(crate) enum Pace {
    Replay,
    Live(Patience),
}

impl Pace {
    /// Creates the pace for a mode, with the longest lateness of the sources.
    pub(crate) fn new(mode: Mode, lateness: Duration) -> Self {
        match mode {
            Mode::Replay => Self::Replay,
            Mode::Live => Self::Live(Patience::new(nanoseconds(lateness))),
        }
    }

    /// Returns `true` if a source is to be read from.
    ///
    /// In a replay only the sources that the merge waits for are read, so that the
    /// channels of the others fill and apply backpressure. Live, all are read: waiting
    /// times start when an event arrives, and they limit how many events can pile up.
    pub(crate) fn wants<T>(&self, merge: &Merge<T>, source: usize) -> bool {
        match self {
            Self::Replay => merge.waits_for(source),
            Self::Live(_) => !merge.has_ended(source),
        }
    }

    /// Returns the waiting times to save; a replay has none.
    pub(crate) fn save(&self) -> Option<&Patience> {
        match self {
            Self::Replay => None,
            Self::Live(patience) => Some(patience),
        }
    }

    /// Restores the saved waiting times.
    pub(crate) fn resume(&mut self, saved: Option<Patience>) {
        if let (Self::Live(patience), Some(saved)) = (self, saved) {
            patience.resume(saved);
        }
    }

    /// Records that events up to this key have arrived.
    pub(crate) fn note(&mut self, now_ns: i64, key: Key) {
        if let Self::Live(patience) = self {
            patience.note(now_ns, key);
        }
    }

    /// Returns the key of the last event whose waiting time is over.
    pub(crate) fn expired(&mut self, now_ns: i64) -> Option<Key> {
        match self {
            Self::Replay => None,
            Self::Live(patience) => patience.expired(now_ns),
        }
    }

    /// Returns the time until the next event's waiting time is over.
    pub(crate) fn next_expiry(&mut self, now_ns: i64, released: Option<Key>) -> Option<Duration> {
        let Self::Live(patience) = self else { return None };
        let until = patience.next_expiry(released)?;
        Some(Duration::from_nanos(u64::try_from(until.saturating_sub(now_ns)).unwrap_or(0)))
    }
}

pub(crate) fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
