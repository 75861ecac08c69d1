//! The time for which a child could run.

use std::time::{Duration, Instant};

/// The longest time between two looks that counts in full. The looks are 50 ms apart; a longer time
/// means that this process stood still, and the child probably did, too.
const LONGEST: Duration = Duration::from_millis(200);

/// A clock that stands still while the whole host is frozen or stopped (a paused container, a
/// suspended machine, SIGSTOP), so that no library is blamed for that time.
#[derive(Debug)]
pub(super) struct RunningTime {
    passed: Duration,
    last_look: Instant,
}

impl RunningTime {
    pub(super) fn start() -> Self {
        Self { passed: Duration::ZERO, last_look: Instant::now() }
    }

    /// Takes in the time since the last look. Call this at least every 50 ms.
    pub(super) fn look(&mut self) {
        self.look_at(Instant::now());
    }

    fn look_at(&mut self, now: Instant) {
        self.passed += now.saturating_duration_since(self.last_look).min(LONGEST);
        self.last_look = now;
    }

    pub(super) fn passed(&self) -> Duration {
        self.passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_frozen_host_does_not_count() {
        let mut time = RunningTime::start();
        let mut now = time.last_look;
        for step in [50, 50, 5_500, 50] {
            now += Duration::from_millis(step);
            time.look_at(now);
        }
        assert_eq!(time.passed(), Duration::from_millis(150) + LONGEST);
    }
}
