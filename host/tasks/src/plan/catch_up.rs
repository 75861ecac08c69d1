//! What becomes of runs that were due while the host could not begin them.
//!
//! A run is *missed* if the host did not run, or slept, when it was due, or if the clock was set
//! over its time. A run that begins late because the host is busy is not missed.

use std::time::Duration;

use hotbay_plugin_api::Misfire;
use jiff::{SignedDuration, Timestamp};

use super::Timing;

/// The number of missed runs that are counted one by one. If there are more, the count is a lower
/// bound.
const COUNT_LIMIT: u64 = 10_000;

/// The most missed runs of one task that are made up for, whatever cap its policy names.
const MOST_MADE_UP: usize = 1_000;

/// What becomes of the runs of one schedule that were missed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CatchUp {
    /// The nominal times of the runs that are made up for, in order.
    pub made_up: Vec<Timestamp>,
    /// The runs that do not take place.
    pub missed: Option<MissedRuns>,
    /// The last nominal time that has been dealt with, if there is one.
    pub cursor: Option<Timestamp>,
}

/// Runs that did not take place because they were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissedRuns {
    /// The number of runs; a lower bound if `is_counted` is `false`.
    pub count: u64,
    /// Tells if all of them were counted.
    pub is_counted: bool,
    /// The nominal time of the first.
    pub first: Timestamp,
    /// The nominal time of the last.
    pub last: Timestamp,
}

/// How a schedule deals with missed runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MisfirePolicy {
    /// Which of the missed runs take place.
    pub misfire: Misfire,
    /// How late a missed run may be to take place; `None` for no limit.
    pub grace: Option<Duration>,
}

impl MisfirePolicy {
    /// Decides about the runs that were due after `cursor`, until `now` inclusively, all of which
    /// were missed.
    pub fn catch_up(self, timing: &Timing, cursor: Timestamp, now: Timestamp) -> CatchUp {
        let due = DueTimes { timing, after: cursor, until: now };
        let Some(first) = due.first() else { return CatchUp::default() };
        let cap = match self.misfire {
            Misfire::Skip => 0,
            Misfire::Once => 1,
            Misfire::All { cap } => usize::try_from(cap).unwrap_or(usize::MAX).min(MOST_MADE_UP),
        };
        // At least one, which is where the schedule goes on.
        let mut made_up = due.latest(cap.max(1));
        let last = made_up.last().copied().unwrap_or(first);
        if cap == 0 {
            made_up.clear();
        }
        let oldest = self.grace.and_then(|grace| SignedDuration::try_from(grace).ok());
        let oldest = oldest.and_then(|grace| now.checked_sub(grace).ok());
        made_up.retain(|at| oldest.is_none_or(|oldest| *at >= oldest));
        let missed = due.missed(first, last, &made_up);
        CatchUp { made_up, missed, cursor: Some(last) }
    }
}

/// The nominal times of a schedule within a span.
#[derive(Clone, Copy)]
struct DueTimes<'a> {
    timing: &'a Timing,
    after: Timestamp,
    until: Timestamp,
}

impl DueTimes<'_> {
    fn iter(self) -> impl Iterator<Item = Timestamp> {
        let next = move |after: &Timestamp| {
            self.timing.nominal_after(*after).filter(|at| *at <= self.until)
        };
        std::iter::successors(next(&self.after), next)
    }

    fn first(self) -> Option<Timestamp> {
        self.iter().next()
    }

    /// Returns the latest times, at most this many, in order.
    ///
    /// Schedules can only be followed forwards, so ever longer spans before the end are searched.
    fn latest(self, count: usize) -> Vec<Timestamp> {
        let whole = self.until.duration_since(self.after);
        let mut span = SignedDuration::from_secs(1);
        loop {
            let is_whole = span >= whole;
            let after = if is_whole { self.after } else { self.until - span };
            let mut found: Vec<_> = Self { after, ..self }.iter().collect();
            if is_whole || found.len() >= count {
                return found.split_off(found.len().saturating_sub(count));
            }
            span = span.checked_mul(4).unwrap_or(whole);
        }
    }

    fn missed(
        self,
        first: Timestamp,
        last: Timestamp,
        made_up: &[Timestamp],
    ) -> Option<MissedRuns> {
        // The runs that are made up for are the latest ones, unless none is.
        let end = made_up.first().copied();
        let before = |at: &Timestamp| end.is_none_or(|end| *at < end);
        let limit = usize::try_from(COUNT_LIMIT).unwrap_or(usize::MAX);
        let count = self.iter().take_while(before).take(limit + 1).count();
        let last = match end {
            None => last,
            Some(end) => {
                let until = end - SignedDuration::from_nanos(1);
                *Self { until, ..self }.latest(1).last()?
            }
        };
        let is_counted = count <= limit;
        let count = u64::try_from(count.min(limit)).unwrap_or(COUNT_LIMIT);
        Some(MissedRuns { count, is_counted, first, last })
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use proptest::prelude::*;

    use super::*;
    use crate::plan::Recurrence;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn every(seconds: i64) -> Timing {
        let interval = SignedDuration::from_secs(seconds);
        Timing::new(Recurrence::Every { interval, anchor: Timestamp::UNIX_EPOCH })
    }

    fn policy(misfire: Misfire) -> MisfirePolicy {
        MisfirePolicy { misfire, grace: None }
    }

    #[test]
    fn a_minute_without_the_host_costs_a_quarter_minute_schedule_what_its_policy_says() {
        // Due at 15, 30, 45 and 60 seconds.
        let made_up = |misfire| policy(misfire).catch_up(&every(15), at(0), at(60)).made_up;
        assert_eq!(made_up(Misfire::Skip), []);
        assert_eq!(made_up(Misfire::Once), [at(60)]);
        assert_eq!(made_up(Misfire::All { cap: 2 }), [at(45), at(60)]);
        assert_eq!(made_up(Misfire::All { cap: 9 }), [at(15), at(30), at(45), at(60)]);
    }

    #[test]
    fn runs_that_are_not_made_up_for_are_recorded() {
        let caught_up = policy(Misfire::Once).catch_up(&every(15), at(0), at(60));
        let missed = MissedRuns { count: 3, is_counted: true, first: at(15), last: at(45) };
        assert_eq!(caught_up.missed, Some(missed));
        let caught_up = policy(Misfire::Skip).catch_up(&every(15), at(0), at(60));
        assert_eq!(caught_up.missed, Some(MissedRuns { count: 4, last: at(60), ..missed }));
        assert_eq!(caught_up.cursor, Some(at(60)));
        let caught_up = policy(Misfire::All { cap: 4 }).catch_up(&every(15), at(0), at(60));
        assert_eq!(caught_up.missed, None);
    }

    #[test]
    fn a_run_that_is_later_than_the_grace_does_not_take_place() {
        let grace = Some(Duration::from_secs(20));
        let policy = MisfirePolicy { misfire: Misfire::All { cap: 9 }, grace };
        let caught_up = policy.catch_up(&every(15), at(0), at(62));
        assert_eq!(caught_up.made_up, [at(45), at(60)]);
        assert_eq!(caught_up.missed.unwrap().count, 2);
        let too_late = policy.catch_up(&every(100), at(0), at(150));
        assert_eq!((too_late.made_up, too_late.cursor), (vec![], Some(at(100))));
    }

    #[test]
    fn a_cap_without_end_makes_up_for_a_thousand_runs() {
        let all = policy(Misfire::All { cap: u32::MAX });
        let caught_up = all.catch_up(&every(1), at(0), at(5_000));
        assert_eq!(caught_up.made_up.len(), MOST_MADE_UP);
        assert_eq!(caught_up.missed.unwrap().count, 4_000);
    }

    #[test]
    fn where_nothing_was_due_nothing_is_missed() {
        let caught_up = policy(Misfire::Once).catch_up(&every(100), at(100), at(199));
        assert_eq!(caught_up, CatchUp::default());
    }

    #[test]
    fn a_year_without_the_host_is_caught_up_in_no_time() {
        let year = at(0) + (365 * 24).hours();
        let caught_up = policy(Misfire::All { cap: 3 }).catch_up(&every(1), at(0), year);
        assert_eq!(caught_up.made_up, [year - 2.seconds(), year - 1.second(), year]);
        let missed = caught_up.missed.unwrap();
        assert_eq!((missed.count, missed.is_counted), (COUNT_LIMIT, false));
        assert_eq!(missed.last, year - 3.seconds());
    }

    proptest! {
        #[test]
        fn every_due_run_is_either_made_up_for_or_missed(
            interval in 1i64..100, cursor in 0i64..1_000, gap in 0i64..5_000,
            cap in 0u32..5, grace in proptest::option::of(0u64..6_000),
        ) {
            let policy = MisfirePolicy {
                misfire: Misfire::All { cap },
                grace: grace.map(Duration::from_secs),
            };
            let timing = every(interval);
            let caught_up = policy.catch_up(&timing, at(cursor), at(cursor + gap));
            let due = DueTimes { timing: &timing, after: at(cursor), until: at(cursor + gap) };
            let due: Vec<_> = due.iter().collect();
            let missed = caught_up.missed.map_or(0, |it| it.count);
            prop_assert_eq!(missed, (due.len() - caught_up.made_up.len()) as u64);
            prop_assert_eq!(caught_up.cursor, due.last().copied());
            prop_assert!(due.ends_with(&caught_up.made_up));
            prop_assert!(caught_up.made_up.len() <= cap as usize);
        }
    }
}
