//! The exchange's limit of connections.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The exchange allows so many connections from one address within [`WINDOW_NS`], and bans who
/// makes more. It is counted here for all feeds of the same server.
const MOST: usize = 300;
const WINDOW_NS: i64 = 5 * 60 * 1_000_000_000;

/// When the connections to each server were made, in order.
static MADE: Mutex<Option<HashMap<String, VecDeque<i64>>>> = Mutex::new(None);

/// The connections that a host makes to one server.
#[derive(Debug, Clone)]
pub(crate) struct ConnectLimit {
    server: String,
}

impl ConnectLimit {
    /// Creates the limit of a server, by its name and port.
    pub(crate) fn of(server: &str) -> Self {
        Self { server: server.to_owned() }
    }

    /// Counts a connection that is made now.
    ///
    /// # Errors
    /// If it can't be made yet: the time until it can.
    pub(crate) fn make(&self, now_ns: i64) -> Result<(), Duration> {
        self.with(|made| {
            while made.front().is_some_and(|&at| at <= now_ns.saturating_sub(WINDOW_NS)) {
                made.pop_front();
            }
            match made.front() {
                Some(&first) if made.len() >= MOST => {
                    let until = first.saturating_add(WINDOW_NS).saturating_sub(now_ns);
                    Err(Duration::from_nanos(until.unsigned_abs()))
                }
                _ => {
                    made.push_back(now_ns);
                    Ok(())
                }
            }
        })
    }

    /// Returns when connections were made, for the saved state: the next build's counts begin
    /// empty.
    pub(crate) fn made(&self) -> Vec<i64> {
        self.with(|made| made.iter().copied().collect())
    }

    /// Restores the connections that an earlier build made.
    pub(crate) fn restore(&self, earlier: &[i64]) {
        self.with(|made| {
            let mut all: Vec<_> = made.iter().chain(earlier).copied().collect();
            all.sort_unstable();
            all.dedup();
            *made = all.split_off(all.len().saturating_sub(MOST)).into();
        });
    }

    fn with<T>(&self, change: impl FnOnce(&mut VecDeque<i64>) -> T) -> T {
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        change(made.get_or_insert_default().entry(self.server.clone()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_connections_are_made_in_five_minutes_than_the_exchange_allows() {
        let second = 1_000_000_000;
        let limit = ConnectLimit::of("limit.test:1");
        assert!((0..300).all(|at| limit.make(at * second / 10).is_ok()));
        assert_eq!(
            limit.make(30 * second),
            Err(Duration::from_secs(270)),
            "a feed beside it waits"
        );
        assert_eq!(ConnectLimit::of("limit.test:2").make(30 * second), Ok(()), "another server");
        let next = ConnectLimit::of("limit.test:3");
        next.restore(&limit.made());
        next.restore(&limit.made());
        assert_eq!(next.make(299 * second), Err(Duration::from_secs(1)), "so does the next build");
        assert_eq!(next.make(300 * second), Ok(()));
    }
}
