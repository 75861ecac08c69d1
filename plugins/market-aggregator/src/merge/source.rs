//! One source of a merge, with its waiting events and its progress.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Key;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry<T> {
    pub(super) time_ns: i64,
    pub(super) arrival: u64,
    pub(super) item: T,
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
    lateness_ns: i64,
    progress: Progress,
    /// The waiting events, in the order in which they are released.
    waiting: VecDeque<Entry<T>>,
    pub(super) arrived: u64,
    pub(super) late: u64,
}

impl<T> Source<T> {
    pub(super) fn new(lateness_ns: i64) -> Self {
        Self {
            lateness_ns,
            progress: Progress::Silent,
            waiting: VecDeque::new(),
            arrived: 0,
            late: 0,
        }
    }

    /// Restores a saved source, keeping the lateness of this one.
    pub(super) fn resume(&mut self, saved: Self) {
        *self = Self { lateness_ns: self.lateness_ns, ..saved };
    }

    /// Returns the time before which no event of this source is accepted any more.
    pub(super) fn watermark(&self) -> Option<i64> {
        match self.progress {
            Progress::Silent => None,
            Progress::Reached { newest_ns } => Some(newest_ns.saturating_sub(self.lateness_ns)),
            Progress::Ended => Some(i64::MAX),
        }
    }

    /// Returns `true` if this source, at index `place`, can bring no more events before `key`.
    pub(super) fn lets_pass(&self, key: &Key, place: usize) -> bool {
        match self.progress {
            Progress::Silent => false,
            Progress::Reached { newest_ns } => {
                // The smallest key that can still come has this time and a later arrival.
                let watermark = newest_ns.saturating_sub(self.lateness_ns);
                key.time_ns < watermark || (key.time_ns == watermark && key.source <= place)
            }
            Progress::Ended => true,
        }
    }

    pub(super) fn advance(&mut self, time_ns: i64) {
        self.progress = match self.progress {
            Progress::Silent => Progress::Reached { newest_ns: time_ns },
            Progress::Reached { newest_ns } => {
                Progress::Reached { newest_ns: newest_ns.max(time_ns) }
            }
            Progress::Ended => Progress::Ended,
        };
    }

    pub(super) fn insert(&mut self, entry: Entry<T>) {
        let in_order = self.waiting.back().is_none_or(|last| last.time_ns <= entry.time_ns);
        if in_order {
            self.waiting.push_back(entry);
        } else {
            // Insert after the events with an equal time, because those arrived before.
            let place = self.waiting.partition_point(|other| other.time_ns <= entry.time_ns);
            self.waiting.insert(place, entry);
        }
    }

    pub(super) fn end(&mut self) {
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
