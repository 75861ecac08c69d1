//! How long to wait for silent sources: for ever in a replay, not so live.

use std::time::Duration;

use hotbay_plugin_api::Mode;

use crate::merge::{Key, Merge, Patience};

#[derive(Debug)]
pub(crate) enum Pace {
    Replay,
    Live(Patience),
}

impl Pace {
    /// The pace of a mode, with the longest lateness of the sources.
    pub(crate) fn new(mode: Mode, lateness: Duration) -> Self {
        match mode {
            Mode::Replay => Self::Replay,
            Mode::Live => Self::Live(Patience::new(nanoseconds(lateness))),
        }
    }

    /// Whether to read from a source.
    ///
    /// In a replay only what holds up the merge is read, so that the channels of
    /// the others fill and hold back their connectors. Live, all are: a wait
    /// counts from an event's arrival, and limits what can pile up.
    pub(crate) fn wants<T>(&self, merge: &Merge<T>, source: usize) -> bool {
        match self {
            Self::Replay => merge.waits_for(source),
            Self::Live(_) => !merge.has_ended(source),
        }
    }

    /// Who waits since when; a replay has none to save.
    pub(crate) fn save(&self) -> Option<&Patience> {
        match self {
            Self::Replay => None,
            Self::Live(patience) => Some(patience),
        }
    }

    /// Goes on where a saved pace was.
    pub(crate) fn resume(&mut self, saved: Option<Patience>) {
        if let (Self::Live(patience), Some(saved)) = (self, saved) {
            patience.resume(saved);
        }
    }

    /// Events up to this one have arrived.
    pub(crate) fn note(&mut self, now_ns: i64, key: Key) {
        if let Self::Live(patience) = self {
            patience.note(now_ns, key);
        }
    }

    /// The last event that has waited long enough.
    pub(crate) fn expired(&mut self, now_ns: i64) -> Option<Key> {
        match self {
            Self::Replay => None,
            Self::Live(patience) => patience.expired(now_ns),
        }
    }

    /// How long until the next event has waited long enough.
    pub(crate) fn next_expiry(&mut self, now_ns: i64, released: Option<Key>) -> Option<Duration> {
        let Self::Live(patience) = self else { return None };
        let until = patience.next_expiry(released)?;
        Some(Duration::from_nanos(u64::try_from(until.saturating_sub(now_ns)).unwrap_or(0)))
    }
}

pub(crate) fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
