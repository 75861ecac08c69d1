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
use source::{Entry, Source};

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
}

/// Merges sources by event time, each with its declared lateness.
///
/// A serialized `Merge` is its saved state and includes the waiting events;
/// [`resume`](Self::resume) restores it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Merge<T> {
    sources: Vec<Source<T>>,
    released: Option<Key>,
}

impl<T> Merge<T> {
    /// Creates a merge of sources with these latenesses in nanoseconds, in order of precedence.
    pub fn new(latenesses: impl IntoIterator<Item = i64>) -> Self {
        Self { sources: latenesses.into_iter().map(Source::new).collect(), released: None }
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
        let from = &mut self.sources[source];
        let key = Key { time_ns, source, arrival: from.arrived };
        from.arrived += 1;
        let passed = match self.released {
            Some(last) if key < last => Some(last.time_ns),
            _ => from.watermark().filter(|&watermark| time_ns < watermark),
        };
        if let Some(passed) = passed {
            from.late += 1;
            return Arrival::Late { by_ns: passed.saturating_sub(time_ns) };
        }
        from.advance(time_ns);
        from.insert(Entry { time_ns, arrival: key.arrival, item });
        Arrival::Accepted(key)
    }

    /// Advances a source to the time of an event that isn't merged.
    pub fn observe(&mut self, source: usize, time_ns: i64) {
        self.sources[source].advance(time_ns);
    }

    /// Marks a source as ended, so that no event waits for it any more.
    pub fn end(&mut self, source: usize) {
        self.sources[source].end();
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

    /// Returns how many events of a source arrived, and how many of them were late.
    pub fn arrived(&self, source: usize) -> (u64, u64) {
        (self.sources[source].arrived, self.sources[source].late)
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
        Some((key, entry.item))
    }
}

#[cfg(test)]
mod tests;
