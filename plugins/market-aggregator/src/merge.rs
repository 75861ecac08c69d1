//! The merge of several sources into one stream, ordered by event time.
//!
//! The merge does no I/O: it never waits and never reads a clock. Events are
//! released in the order of ([event time](Key::time_ns), [source](Key::source) as
//! listed, [number of arrival](Key::arrival) in the source), and each only when no
//! source can still bring an event with a smaller key. The order therefore depends
//! on the data alone, not on how the events arrived.

mod patience;
mod source;

pub use patience::Patience;
use serde::{Deserialize, Serialize};
pub use source::Jump;
use source::{Entry, Limits, Moment, Source};

/// The key by which events are ordered in the merged stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Event time: nanoseconds since 1970, UTC.
    pub time_ns: i64,
    /// The source's index in the list of sources, which decides between equal times.
    pub source: usize,
    /// The number of events of the source that arrived before this one.
    pub arrival: u64,
}

/// Whether the merge accepted an event when it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The event was accepted and waits to be released.
    Accepted(Key),
    /// The event was discarded: it is behind its source's watermark or the last released event.
    Late {
        /// How far the event is behind, in nanoseconds.
        by_ns: i64,
    },
    /// The event's time is far from those before: what comes next shows whether it is wrong.
    Held,
}

impl Arrival {
    /// Returns what became of two events: the greater key, or why there is none.
    fn and(self, next: Self) -> Self {
        match (self, next) {
            (Self::Accepted(one), Self::Accepted(other)) => Self::Accepted(one.max(other)),
            (accepted @ Self::Accepted(_), _) | (_, accepted @ Self::Accepted(_)) => accepted,
            (before, Self::Held) => before,
            (_, late) => late,
        }
    }
}

/// How many events of a source arrived, and how many of them were left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrived {
    /// All events that arrived.
    pub events: u64,
    /// Events that were late.
    pub late: u64,
    /// Events whose time was far ahead of those before and after.
    pub jumped: u64,
}

/// Merges sources by event time, each with its declared lateness.
///
/// A serialized `Merge` is its saved state and includes the waiting events;
/// [`resume`](Self::resume) restores it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Merge<T> {
    sources: Vec<Source<T>>,
    released: Option<Key>,
    /// The time of the clock, in a live merge.
    #[serde(skip)]
    now_ns: Option<i64>,
}

impl<T> Merge<T> {
    /// Creates a merge of sources with these latenesses in nanoseconds, in order of precedence.
    pub fn new(latenesses: impl IntoIterator<Item = i64>) -> Self {
        let limits = |lateness_ns| Limits { lateness_ns, jump_ns: i64::MAX };
        let sources = latenesses.into_iter().map(|lateness| Source::new(limits(lateness)));
        Self { sources: sources.collect(), released: None, now_ns: None }
    }

    /// Limits how far the time of an event may be from its source's newest; by default it is
    /// not limited. Events beyond the limit are [held](Arrival::Held).
    #[must_use]
    pub fn with_jump(mut self, jump_ns: i64) -> Self {
        self.sources.iter_mut().for_each(|source| source.limit_jumps(jump_ns));
        self
    }

    /// Sets the time of the clock for the next events, which makes the merge a live one: as
    /// much time as passes on the clock may pass between two events of a source.
    ///
    /// The clock should not be set while it runs.
    pub fn set_now(&mut self, now_ns: i64) {
        self.now_ns = Some(now_ns);
    }

    /// Restores a saved merge of the same number of sources, keeping this one's latenesses.
    ///
    /// # Errors
    /// If the number of sources differs.
    pub fn resume(&mut self, saved: Self) -> Result<(), Self> {
        if saved.sources.len() != self.sources.len() {
            return Err(saved);
        }
        for (source, saved) in self.sources.iter_mut().zip(saved.sources) {
            source.resume(saved);
        }
        self.released = saved.released;
        Ok(())
    }

    /// Adds the next event of a source.
    ///
    /// The event is late if it is older than the source's watermark: the largest
    /// event time of the source so far, less its lateness. If events were released
    /// early ([`pop_through`](Self::pop_through)), an event before the last of them
    /// is late too.
    ///
    /// # Panics
    /// If there is no such source.
    pub fn push(&mut self, source: usize, time_ns: i64, item: T) -> Arrival {
        let moment = self.moment(source);
        let from = &mut self.sources[source];
        let arrival = from.arrived;
        from.arrived += 1;
        from.add(Entry { time_ns, arrival, item: Some(item) }, moment)
    }

    /// Advances a source to the time of an event that isn't merged.
    pub fn observe(&mut self, source: usize, time_ns: i64) -> Arrival {
        let moment = self.moment(source);
        let from = &mut self.sources[source];
        from.add(Entry { time_ns, arrival: from.arrived, item: None }, moment)
    }

    /// Marks a source as ended, so that no event waits for it any more.
    pub fn end(&mut self, source: usize) {
        let moment = self.moment(source);
        self.sources[source].end(moment);
    }

    /// Returns the jumps of a source's times since the last call.
    pub fn take_jumps(&mut self, source: usize) -> Vec<Jump> {
        self.sources[source].take_jumps()
    }

    fn moment(&self, place: usize) -> Moment {
        Moment { place, released: self.released, now_ns: self.now_ns }
    }

    /// Releases the next event in order, if no source can still bring one before it.
    pub fn pop(&mut self) -> Option<(Key, T)> {
        let key = self.candidate()?;
        let clear =
            self.sources.iter().enumerate().all(|(place, source)| source.lets_pass(&key, place));
        if clear { self.release(key) } else { None }
    }

    /// Releases the next event if it is at or before `limit`, even if an earlier one can come.
    pub fn pop_through(&mut self, limit: Key) -> Option<(Key, T)> {
        let key = self.candidate()?;
        if key <= limit { self.release(key) } else { None }
    }

    /// Returns `true` if the merge can't release an event before this source brings one or ends.
    pub fn waits_for(&self, source: usize) -> bool {
        match self.candidate() {
            Some(key) => !self.sources[source].lets_pass(&key, source),
            None => !self.sources[source].has_ended(),
        }
    }

    /// Returns `true` if a source has ended.
    pub fn has_ended(&self, source: usize) -> bool {
        self.sources[source].has_ended()
    }

    /// Returns `true` if all sources have ended and all events have been released.
    pub fn is_done(&self) -> bool {
        self.sources.iter().all(|source| source.has_ended() && source.first().is_none())
    }

    /// Returns the key of the last event that was released.
    pub fn released(&self) -> Option<Key> {
        self.released
    }

    /// Returns how many events of a source arrived, and how many of them were left out.
    pub fn arrived(&self, source: usize) -> Arrived {
        let Source { arrived, late, jumped, .. } = self.sources[source];
        Arrived { events: arrived, late, jumped }
    }

    fn candidate(&self) -> Option<Key> {
        let firsts = self.sources.iter().enumerate().filter_map(|(source, from)| {
            from.first().map(|first| Key { time_ns: first.time_ns, source, arrival: first.arrival })
        });
        firsts.min()
    }

    fn release(&mut self, key: Key) -> Option<(Key, T)> {
        let entry = self.sources[key.source].take()?;
        self.released = Some(key);
        entry.item.map(|item| (key, item))
    }
}

#[cfg(test)]
mod tests;
