//! The merge: many sources in, one stream out, ordered by event time.
//!
//! Pure: arrivals go in, ordered events come out, and nothing here waits or
//! asks for the time. Events leave in the order of ([event time](Key::time_ns),
//! [source](Key::source) as listed, [number of arrival](Key::arrival) in the
//! source), and each leaves only once no source can still bring a smaller one.
//! So the order is a property of the data, not of how it arrived.

mod patience;
mod source;

pub use patience::Patience;
use serde::{Deserialize, Serialize};
use source::{Entry, Source};

/// An event's place in the merged order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Event time: nanoseconds since 1970, UTC.
    pub time_ns: i64,
    /// The source's place in the list of sources: at equal times the first goes first.
    pub source: usize,
    /// How many events of the source arrived before.
    pub arrival: u64,
}

/// What became of an event on arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It waits for its turn.
    Accepted(Key),
    /// It came behind what its source, or the merge, has gone past; it is not mixed in.
    Late {
        /// How far behind.
        by_ns: i64,
    },
}

/// Merges sources by event time, each with its declared lateness.
///
/// Serialized, it is its own saved state, with the events that wait;
/// [`resume`](Self::resume) goes on from there.
#[derive(Debug, Serialize, Deserialize)]
pub struct Merge<T> {
    sources: Vec<Source<T>>,
    released: Option<Key>,
}

impl<T> Merge<T> {
    /// A merge of sources with these latenesses in nanoseconds, in the order of ties.
    pub fn new(latenesses: impl IntoIterator<Item = i64>) -> Self {
        Self { sources: latenesses.into_iter().map(Source::new).collect(), released: None }
    }

    /// Goes on where a saved merge of as many sources was, with the latenesses of this one.
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

    /// Takes in the next event of a source.
    ///
    /// It is late if it is older than the source's watermark: the largest event
    /// time of the source so far, less its lateness. Where events were released
    /// before their time ([`pop_through`](Self::pop_through)), it is late too if
    /// it stands before the last of them.
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

    /// A source has gone on to this time with an event that isn't merged.
    pub fn observe(&mut self, source: usize, time_ns: i64) {
        self.sources[source].advance(time_ns);
    }

    /// A source has ended: nothing waits for it any more.
    pub fn end(&mut self, source: usize) {
        self.sources[source].end();
    }

    /// The next event in order, if no source can still bring one before it.
    pub fn pop(&mut self) -> Option<(Key, T)> {
        let key = self.candidate()?;
        let clear =
            self.sources.iter().enumerate().all(|(place, source)| source.lets_pass(&key, place));
        if clear { self.release(key) } else { None }
    }

    /// The next event in order, whatever may still come, if it stands at or before `limit`.
    pub fn pop_through(&mut self, limit: Key) -> Option<(Key, T)> {
        let key = self.candidate()?;
        if key <= limit { self.release(key) } else { None }
    }

    /// Whether the merge can't go on without news from this source.
    pub fn waits_for(&self, source: usize) -> bool {
        match self.candidate() {
            Some(key) => !self.sources[source].lets_pass(&key, source),
            None => !self.sources[source].has_ended(),
        }
    }

    /// Whether a source has ended.
    pub fn has_ended(&self, source: usize) -> bool {
        self.sources[source].has_ended()
    }

    /// Whether all sources have ended and everything has left.
    pub fn is_done(&self) -> bool {
        self.sources.iter().all(|source| source.has_ended() && source.first().is_none())
    }

    /// The place of the last event that left.
    pub fn released(&self) -> Option<Key> {
        self.released
    }

    /// How many events of a source arrived, and how many of them late.
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
