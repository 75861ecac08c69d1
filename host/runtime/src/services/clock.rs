//! The clock that plugins see.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, Instant, SystemTime},
};

/// The clock that plugins see: the system's clock, unless a test or a simulation controls time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Returns the time in nanoseconds since 1970, UTC.
    fn now_ns(&self) -> i64;

    /// Completes when the clock has advanced by `duration`.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// The clock of the system, which plugins see unless another one is set.
///
/// It reads the system's time once and then counts on with a monotonic clock, so that it never
/// runs back, and does not jump while somebody sets the system's time ahead for a moment. A
/// system's time that stays ahead, as after the machine was suspended, is followed after ten
/// seconds. One that was set back is not followed until the next start.
#[derive(Debug)]
pub struct SystemClock {
    began: Instant,
    steady: Steady,
}

impl SystemClock {
    /// Makes a clock that shows the system's time of this moment.
    pub fn new() -> Self {
        Self { began: Instant::now(), steady: Steady::new(system_ns()) }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now_ns(&self) -> i64 {
        let passed_ns = i64::try_from(self.began.elapsed().as_nanos()).unwrap_or(i64::MAX);
        self.steady.now_ns(system_ns(), passed_ns)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

fn system_ns() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// How far the system's time may be from the time of the clock and still count as the same.
const TOLERANCE_NS: i64 = 1_000_000_000;
/// How long a system's time has to stay ahead before it is followed.
const PATIENCE_NS: i64 = 10_000_000_000;
/// The value of [`Steady::apart_since_ns`] while the system's time counts as the same.
const TOGETHER: i64 = -1;

/// Computes a steady time from the system's time and the time that passed on a monotonic clock.
///
/// Relaxed access to the two fields is enough: a thread that reads an old value of one of them
/// returns a time that was right before the system's time was followed.
#[derive(Debug)]
struct Steady {
    /// The time that the clock shows for the start of the monotonic clock.
    start_ns: AtomicI64,
    /// The time on the monotonic clock at which the system's time was first seen to be another
    /// one, or [`TOGETHER`].
    apart_since_ns: AtomicI64,
}

impl Steady {
    fn new(system_ns: i64) -> Self {
        Self { start_ns: system_ns.into(), apart_since_ns: TOGETHER.into() }
    }

    fn now_ns(&self, system_ns: i64, passed_ns: i64) -> i64 {
        let now_ns = self.start_ns.load(Ordering::Relaxed).saturating_add(passed_ns);
        let ahead_ns = system_ns.saturating_sub(now_ns);
        let apart_since_ns = self.apart_since_ns.load(Ordering::Relaxed);
        if ahead_ns.saturating_abs() < TOLERANCE_NS {
            if apart_since_ns != TOGETHER {
                self.apart_since_ns.store(TOGETHER, Ordering::Relaxed);
            }
            return now_ns;
        }
        if apart_since_ns == TOGETHER {
            let before = self.apart_since_ns.swap(passed_ns, Ordering::Relaxed);
            if before == TOGETHER {
                let ahead_ms = ahead_ns / 1_000_000;
                tracing::warn!(
                    ahead_ms,
                    "the system's clock was set; the times of events go on from the time before, \
                     and follow it if it stays ahead; if it was set back, they do at the next start"
                );
            }
            return now_ns;
        }
        if ahead_ns < 0 || passed_ns.saturating_sub(apart_since_ns) < PATIENCE_NS {
            return now_ns;
        }
        self.start_ns.fetch_max(system_ns.saturating_sub(passed_ns), Ordering::Relaxed);
        self.apart_since_ns.store(TOGETHER, Ordering::Relaxed);
        tracing::warn!(ahead_ms = ahead_ns / 1_000_000, "following the system's clock ahead");
        system_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const START: i64 = 1_700_000_000 * SECOND;

    /// The times of a clock that begins at [`START`], for seconds that passed and how far the
    /// system's clock is ahead by then.
    fn times<const N: usize>(moments: [(i64, i64); N]) -> [i64; N] {
        let steady = Steady::new(START);
        moments.map(|(passed, ahead)| {
            let system_ns = START + (passed + ahead) * SECOND;
            (steady.now_ns(system_ns, passed * SECOND) - START) / SECOND
        })
    }

    #[test]
    fn a_system_clock_that_is_set_back_does_not_take_time_back() {
        let back = [(0, 0), (5, 0), (6, -20), (30, -20), (31, 0), (32, -3_600), (10_000, -3_600)];
        assert_eq!(times(back), [0, 5, 6, 30, 31, 32, 10_000]);
    }

    #[test]
    fn a_system_clock_that_is_ahead_for_a_moment_is_not_followed_and_one_that_stays_is() {
        assert_eq!(times([(5, 0), (6, 3_600), (7, 3_600), (8, 0), (9, 0)]), [5, 6, 7, 8, 9]);
        assert_eq!(
            times([(5, 0), (6, 100), (15, 100), (16, 100), (17, 100)]),
            [5, 6, 15, 116, 117]
        );
        assert_eq!(times([(5, 5), (14, 0), (15, 5), (24, 5)]), [5, 14, 15, 24], "counted anew");
    }

    #[test]
    fn absurd_clocks_do_no_harm() {
        for system_ns in [i64::MIN, 0, i64::MAX] {
            let steady = Steady::new(system_ns);
            for (other, passed) in [(i64::MAX, 0), (i64::MIN, 1), (i64::MAX, i64::MAX), (0, SECOND)]
            {
                let _time = steady.now_ns(other, passed);
            }
        }
    }
}
