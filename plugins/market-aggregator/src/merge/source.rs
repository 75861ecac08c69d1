//! One source of a merge, with its waiting events and its progress.

mod jump;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Arrival, Key};
use jump::Aside;

pub use jump::Jump;

/// An event of a source; without an item, one that only moves its source on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry<T> {
    pub(super) time_ns: i64,
    pub(super) arrival: u64,
    pub(super) item: Option<T>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Progress {
    Silent,
    Reached { newest_ns: i64 },
    Ended,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Source<T> {
    /// Not saved, because it comes from the configuration.
    #[serde(skip)]
    limits: Limits,
    progress: Progress,
    /// The waiting events, in the order in which they are released.
    waiting: VecDeque<Entry<T>>,
    /// Events far from those before, until it is known whether the source's time moved there.
    aside: Option<Aside<T>>,
    /// Added to the times of a source that was set back.
    shift_ns: i64,
    /// When the newest event came, by the clock that live merges pass in.
    newest_came_ns: i64,
    #[serde(skip)]
    jumps: Vec<Jump>,
    pub(super) arrived: u64,
    pub(super) late: u64,
    pub(super) jumped: u64,
}

/// How far the times of a source may be from its newest.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits {
    pub(super) lateness_ns: i64,
    pub(super) jump_ns: i64,
}

/// What an arriving event is compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// The index of the source.
    pub(super) place: usize,
    /// The last event that left the merge.
    pub(super) released: Option<Key>,
    /// The time of the clock in a live merge; a replay has none.
    pub(super) now_ns: Option<i64>,
}

impl<T> Source<T> {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            progress: Progress::Silent,
            waiting: VecDeque::new(),
            aside: None,
            shift_ns: 0,
            newest_came_ns: 0,
            jumps: Vec::new(),
            arrived: 0,
            late: 0,
            jumped: 0,
        }
    }

    pub(super) fn limit_jumps(&mut self, jump_ns: i64) {
        self.limits.jump_ns = jump_ns;
    }

    /// Restores a saved source, keeping the limits of this one.
    pub(super) fn resume(&mut self, saved: Self) {
        *self = Self { limits: self.limits, ..saved };
    }

    /// Returns the time before which no event of this source is accepted any more.
    fn watermark(&self) -> Option<i64> {
        match self.progress {
            Progress::Silent => None,
            Progress::Reached { newest_ns } => {
                Some(newest_ns.saturating_sub(self.limits.lateness_ns))
            }
            Progress::Ended => Some(i64::MAX),
        }
    }

    /// Returns `true` if this source, at index `place`, can bring no more events before `key`.
    pub(super) fn lets_pass(&self, key: &Key, place: usize) -> bool {
        match self.progress {
            Progress::Silent => false,
            Progress::Reached { newest_ns } => {
                // The smallest key that can still come has this time and a later arrival.
                let watermark = newest_ns.saturating_sub(self.limits.lateness_ns);
                key.time_ns < watermark || (key.time_ns == watermark && key.source <= place)
            }
            Progress::Ended => true,
        }
    }

    /// Accepts an event whose time is not far from the source's newest, unless it is late.
    fn accept(&mut self, entry: Entry<T>, moment: Moment) -> Arrival {
        let Moment { place, released, now_ns } = moment;
        let Entry { time_ns, arrival, .. } = entry;
        let key = Key { time_ns, source: place, arrival };
        if entry.item.is_some() {
            let passed = match released {
                Some(last) if key < last => Some(last.time_ns),
                _ => self.watermark().filter(|&watermark| time_ns < watermark),
            };
            if let Some(passed) = passed {
                self.late += 1;
                return Arrival::Late { by_ns: passed.saturating_sub(time_ns) };
            }
        }
        self.advance(time_ns, now_ns);
        if entry.item.is_none() {
            return Arrival::Held;
        }
        self.insert(entry);
        Arrival::Accepted(key)
    }

    fn advance(&mut self, time_ns: i64, now_ns: Option<i64>) {
        let is_newer = match self.progress {
            Progress::Silent => true,
            Progress::Reached { newest_ns } => time_ns > newest_ns,
            Progress::Ended => false,
        };
        if is_newer {
            self.progress = Progress::Reached { newest_ns: time_ns };
            self.newest_came_ns = now_ns.unwrap_or_default();
        }
    }

    fn insert(&mut self, entry: Entry<T>) {
        let in_order = self.waiting.back().is_none_or(|last| last.time_ns <= entry.time_ns);
        if in_order {
            self.waiting.push_back(entry);
        } else {
            // Insert after the events with an equal time, because those arrived before.
            let place = self.waiting.partition_point(|other| other.time_ns <= entry.time_ns);
            self.waiting.insert(place, entry);
        }
    }

    pub(super) fn end(&mut self, moment: Moment) {
        self.settle(moment);
        self.progress = Progress::Ended;
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.progress, Progress::Ended)
    }

    pub(super) fn first(&self) -> Option<&Entry<T>> {
        self.waiting.front()
    }

    pub(super) fn take(&mut self) -> Option<Entry<T>> {
        self.waiting.pop_front()
    }

    /// Returns the time between the first and the last waiting event.
    #[cfg(test)]
    pub(super) fn span(&self) -> i64 {
        let ends = self.waiting.front().zip(self.waiting.back());
        ends.map_or(0, |(first, last)| last.time_ns - first.time_ns)
    }
}
