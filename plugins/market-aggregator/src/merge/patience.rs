//! Limits how long live events wait for sources that send nothing.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Key;

/// Records when events arrived, and finds those whose waiting time is over.
///
/// It reads no clock: the current time is passed in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Patience {
    /// Not saved, because it comes from the configuration.
    #[serde(skip)]
    limit_ns: i64,
    /// The times at which events up to a key expire; both grow from front to back.
    waiting: VecDeque<(i64, Key)>,
}

impl Patience {
    /// Creates a record of events that wait at most this long.
    pub fn new(limit_ns: i64) -> Self {
        Self { limit_ns, waiting: VecDeque::new() }
    }

    /// Restores the saved waiting times, keeping the limit of this one.
    pub fn resume(&mut self, saved: Self) {
        self.waiting = saved.waiting;
    }

    /// Records that an event has arrived.
    pub fn note(&mut self, now_ns: i64, key: Key) {
        // An event before one that arrived earlier is released with that one at the latest.
        if self.waiting.back().is_some_and(|&(_, last)| key <= last) {
            return;
        }
        let until = now_ns.saturating_add(self.limit_ns);
        match self.waiting.back_mut() {
            Some((other, last)) if *other == until => *last = key,
            _ => self.waiting.push_back((until, key)),
        }
    }

    /// Returns the last event whose waiting time is over; it and all before it are due.
    pub fn expired(&mut self, now_ns: i64) -> Option<Key> {
        let mut last = None;
        while let Some(&(until, key)) = self.waiting.front()
            && until <= now_ns
        {
            last = Some(key);
            self.waiting.pop_front();
        }
        last
    }

    /// Returns when the next waiting time is over, ignoring events up to `released`.
    pub fn next_expiry(&mut self, released: Option<Key>) -> Option<i64> {
        while let Some(&(until, key)) = self.waiting.front() {
            if released.is_none_or(|released| released < key) {
                return Some(until);
            }
            self.waiting.pop_front();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(time_ns: i64) -> Key {
        Key { time_ns, source: 0, arrival: 0 }
    }

    #[test]
    fn an_event_leaves_when_its_own_wait_is_over_and_takes_the_earlier_ones_along() {
        let mut patience = Patience::new(10);
        patience.note(0, key(100));
        patience.note(5, key(99));
        patience.note(7, key(200));
        assert_eq!(patience.expired(9), None);
        assert_eq!(patience.next_expiry(None), Some(10));
        assert_eq!(patience.expired(10), Some(key(100)), "99 stands before it");
        assert_eq!(patience.next_expiry(None), Some(17));
    }

    #[test]
    fn what_left_in_order_needs_no_wake_up() {
        let mut patience = Patience::new(10);
        patience.note(0, key(100));
        patience.note(1, key(200));
        assert_eq!(patience.next_expiry(Some(key(100))), Some(11));
        assert_eq!(patience.next_expiry(Some(key(200))), None);
    }
}
