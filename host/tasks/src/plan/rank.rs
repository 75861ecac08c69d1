//! The order in which waiting runs begin.

use hotbay_plugin_api::Priority;
use jiff::Timestamp;

/// By how much waiting makes up for a lower priority: this many milliseconds for each step.
const AGEING_MS: i64 = 1_000;

/// The place of a run in the order of those that wait: the lowest one begins first.
///
/// It grows with the time since which the run waits, and falls with its priority: each step of
/// priority is worth one second of waiting. So the order of two runs never changes while they
/// wait, and a run is overtaken by a run whose priority is higher by *n* only if that one began to
/// wait less than *n* seconds later. A run of low priority (-100) waits for runs of high priority
/// (100) that come up to 200 seconds after it, and for none that comes later.
///
/// A run that is tried again keeps the time since which it waits, and thus its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank(i64);

impl Rank {
    /// Returns the rank of a run that has waited since `since`.
    pub fn new(priority: Priority, since: Timestamp) -> Self {
        Self(since.as_millisecond() - i64::from(priority.0) * AGEING_MS)
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_higher_priority_overtakes_for_one_second_a_step_and_no_longer(
            low in any::<i16>(), steps in 0i16..1_000, later_ms in 0i64..2_000_000,
        ) {
            let high = low.saturating_add(steps);
            let steps = i64::from(high) - i64::from(low);
            let since = Timestamp::UNIX_EPOCH;
            let first = Rank::new(Priority(low), since);
            let second = Rank::new(Priority(high), since + later_ms.milliseconds());
            prop_assert_eq!(second < first, later_ms < steps * 1_000);
        }
    }

    #[test]
    fn runs_of_equal_priority_begin_in_the_order_in_which_they_came() {
        let rank = |ms| Rank::new(Priority::LOW, Timestamp::from_millisecond(ms).unwrap());
        assert!(rank(1) < rank(2));
    }
}
