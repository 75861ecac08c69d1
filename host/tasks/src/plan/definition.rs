//! What the plan knows about a task.

use std::{fmt, sync::Arc, time::Duration};

use hotbay_plugin_api::{Backoff, Durability, Misfire, OnDependencyFailure, Overlap, Priority};
use jiff::{SignedDuration, Timestamp};

use super::{MisfirePolicy, Recurrence, Timing, timing::spread_hash};

/// When a task runs, and within which limits.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskDefinition {
    /// The name of the plugin that brings the task.
    pub plugin: Arc<str>,
    /// What makes the task run.
    pub trigger: Trigger,
    /// The priority of its runs among those that wait.
    pub priority: Priority,
    /// What happens if a run is due while another is under way.
    pub overlap: Overlap,
    /// What happens to runs that were missed.
    pub misfire: MisfirePolicy,
    /// The tasks that must have succeeded before a run begins.
    pub depends_on: Vec<Arc<str>>,
    /// What happens if one of them did not succeed.
    pub on_dependency_failure: OnDependencyFailure,
    /// How often a run is tried, and when.
    pub retry: RetryPolicy,
    /// The time limit of one attempt.
    pub timeout: Option<Duration>,
    /// How many runs may be under way at once, if runs may overlap; `None` for any number.
    pub at_once: Option<usize>,
    /// The concurrency key of its runs.
    pub key: Option<Arc<str>>,
    /// The shortest time between two starts; zero for none.
    pub start_interval: SignedDuration,
    /// What is kept of its runs across restarts of the host.
    pub durability: Durability,
}

impl TaskDefinition {
    /// Makes the definition of a task with the default of every other field.
    pub fn new(plugin: Arc<str>, trigger: Trigger) -> Self {
        Self {
            plugin,
            trigger,
            priority: Priority::NORMAL,
            overlap: Overlap::default(),
            misfire: MisfirePolicy { misfire: Misfire::default(), grace: None },
            depends_on: Vec::new(),
            on_dependency_failure: OnDependencyFailure::default(),
            retry: RetryPolicy::default(),
            timeout: None,
            at_once: None,
            key: None,
            start_interval: SignedDuration::ZERO,
            durability: Durability::default(),
        }
    }
}

/// What makes a task run, besides a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Trigger {
    /// The task coming into service for the first time since the host started.
    Start,
    /// The times of a schedule.
    Time(Timing),
    /// The success of the tasks on which it depends.
    Dependencies,
    /// Nothing: it runs on request, which may come from an event of a channel.
    Request,
}

impl Trigger {
    /// Returns the instant from which intervals are counted.
    pub(super) fn anchor(&self) -> Option<Timestamp> {
        match self {
            Self::Time(Timing { recurrence: Recurrence::Every { anchor, .. }, .. }) => {
                Some(*anchor)
            }
            Self::Start | Self::Time(_) | Self::Dependencies | Self::Request => None,
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("at start"),
            Self::Time(timing) => write!(f, "{timing}"),
            Self::Dependencies => f.write_str("after its dependencies"),
            Self::Request => f.write_str("on request"),
        }
    }
}

/// How often a run is tried, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The number of attempts after which a run has failed; at least 1.
    pub attempts: u32,
    /// The delay before the second attempt.
    pub delay: Duration,
    /// The growth of the delay with further attempts.
    pub backoff: Backoff,
    /// How many times the host may end by a crash during the run. After that many, the run is not
    /// tried again.
    pub crashes: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 1, delay: Duration::ZERO, backoff: Backoff::Constant, crashes: 3 }
    }
}

impl RetryPolicy {
    /// Returns the delay after the failure of an attempt, counted from 1, with up to a tenth of
    /// it added, so that runs that failed together are not all tried again together.
    pub fn delay_after(&self, attempt: u32, task: &str, failed: Timestamp) -> Duration {
        let delay = match self.backoff {
            Backoff::Constant => self.delay,
            Backoff::Exponential { cap } => {
                let doubled = 2u32.checked_pow(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
                self.delay.saturating_mul(doubled).min(cap.max(self.delay))
            }
        };
        let share = u32::try_from(spread_hash(task, failed) >> 32).unwrap_or(u32::MAX);
        let jitter = (delay / 10).mul_f64(f64::from(share) / f64::from(u32::MAX));
        delay.saturating_add(jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(backoff: Backoff) -> Vec<u64> {
        let delay = Duration::from_secs(10);
        let policy = RetryPolicy { delay, backoff, ..RetryPolicy::default() };
        let seconds = |attempt| {
            let delay = policy.delay_after(attempt, "a", Timestamp::UNIX_EPOCH);
            // Without the tenth that is added.
            delay.as_secs() / 10 * 10
        };
        [1, 2, 3, 4, 40].map(seconds).to_vec()
    }

    #[test]
    fn delays_are_constant_or_double_up_to_a_cap() {
        assert_eq!(delays(Backoff::Constant), [10, 10, 10, 10, 10]);
        let cap = Duration::from_secs(50);
        assert_eq!(delays(Backoff::Exponential { cap }), [10, 20, 40, 50, 50]);
        // A cap below the first delay does not shorten it.
        let cap = Duration::from_secs(1);
        assert_eq!(delays(Backoff::Exponential { cap })[..2], [10, 10]);
    }

    #[test]
    fn runs_that_failed_together_are_tried_again_at_different_times() {
        let policy = RetryPolicy { delay: Duration::from_secs(100), ..RetryPolicy::default() };
        let delay = |task: &str| policy.delay_after(1, task, Timestamp::UNIX_EPOCH);
        assert_ne!(delay("a"), delay("b"));
        for task in ["a", "b", "c"] {
            assert!((100.0..=110.0).contains(&delay(task).as_secs_f64()));
        }
    }
}
