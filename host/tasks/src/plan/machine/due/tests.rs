//! Clocks that are set back far.

use hotbay_plugin_api::Misfire;

use super::*;
use crate::plan::{AttemptOutcome, MisfirePolicy};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn task() -> Arc<str> {
    "p/a".into()
}

fn clock(now: Timestamp) -> Clock {
    Clock { now, uptime: Duration::ZERO }
}

fn moment() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// A task of a schedule, which was dealt with up to this time.
fn define(recurrence: Recurrence, cursor: Timestamp) -> PlanEvent {
    let trigger = Trigger::Time(Timing::new(recurrence));
    let misfire = MisfirePolicy { misfire: Misfire::Skip, grace: None };
    let definition = TaskDefinition { misfire, ..TaskDefinition::new("p".into(), trigger) };
    let stored = Some(StoredTask { cursor: Some(cursor), ..StoredTask::default() });
    PlanEvent::Define { task: task(), definition: Box::new(definition), stored }
}

fn hourly(anchor: Timestamp) -> Recurrence {
    Recurrence::Every { interval: SignedDuration::from_hours(1), anchor }
}

fn reset(cursor: Timestamp) -> Change {
    Change::Reset { task: task(), cursor }
}

#[test]
fn a_schedule_goes_on_at_once_if_the_clock_is_set_back_by_days() {
    let now = moment();
    let mut plan = Plan::new(clock(now), 1);
    plan.step(define(hourly(now), now), clock(now));
    let back = now - 30 * DAY;
    let step = plan.step(PlanEvent::Tick, clock(back));
    assert_eq!(step.changes, [reset(back)]);
    assert_eq!(plan.next_due(&task()), Some(back + SignedDuration::from_hours(1)));
}

#[test]
fn a_schedule_goes_on_at_once_if_the_clock_was_set_back_by_days_while_no_host_ran() {
    let now = moment();
    let mut plan = Plan::new(clock(now), 1);
    let ahead = now + 30 * DAY;
    let step = plan.step(define(hourly(ahead), ahead), clock(now));
    assert!(step.changes.ends_with(&[reset(now)]), "{:?}", step.changes);
    assert_eq!(plan.next_due(&task()), Some(now + SignedDuration::from_hours(1)));
}

#[test]
fn a_schedule_waits_for_the_clock_if_it_was_set_back_by_hours() {
    let now = moment();
    let mut plan = Plan::new(clock(now), 1);
    let ahead = now + SignedDuration::from_hours(20);
    let step = plan.step(define(hourly(ahead), ahead), clock(now));
    assert!(!step.changes.contains(&reset(now)), "{:?}", step.changes);
    assert_eq!(plan.next_due(&task()), Some(ahead + SignedDuration::from_hours(1)));
}

#[test]
fn a_time_that_is_due_once_is_not_dealt_with_anew_by_a_clock_that_is_set_back() {
    let now = moment();
    let mut plan = Plan::new(clock(now), 1);
    plan.step(define(Recurrence::Once(now), now), clock(now));
    let back = now - 30 * DAY;
    let step = plan.step(PlanEvent::Tick, clock(back));
    // It is due again, in case it was missed. The store still refuses a second run of its time.
    assert_eq!(step.changes, [Change::Cursor { task: task(), cursor: back }]);
    assert_eq!(plan.next_due(&task()), Some(now));
}

#[test]
fn all_runs_that_are_made_up_for_take_place_one_after_the_other() {
    for overlap in [Overlap::Skip, Overlap::Queue, Overlap::Replace] {
        let now = moment();
        let mut plan = Plan::new(clock(now), 1);
        let timing = Timing::new(hourly(now - 3 * DAY));
        let misfire = MisfirePolicy { misfire: Misfire::All { cap: 2 }, grace: None };
        let definition = TaskDefinition {
            misfire,
            overlap,
            ..TaskDefinition::new("p".into(), Trigger::Time(timing))
        };
        let stored = Some(StoredTask { cursor: Some(now - DAY), ..StoredTask::default() });
        let define = PlanEvent::Define { task: task(), definition: Box::new(definition), stored };
        plan.step(PlanEvent::Service { plugin: "p".into(), is_there: true }, clock(now));
        let mut step = plan.step(define, clock(now));
        let mut begun: Vec<RunId> = Vec::new();
        let mut uptime = Duration::ZERO;
        while begun.len() < 2 {
            assert!(uptime < Duration::from_secs(60), "{overlap:?}: only {begun:?} have begun");
            let starts = step.effects.iter().map(|it| match it {
                Effect::Start { run, .. } => *run,
                Effect::Stop { .. } => panic!("{overlap:?}: none is stopped"),
            });
            let starts: Vec<_> = starts.collect();
            assert!(starts.len() <= 1, "{overlap:?}: not side by side");
            begun.extend(&starts);
            uptime += Duration::from_secs(1);
            let after = Clock { now: now + SignedDuration::try_from(uptime).unwrap(), uptime };
            let outcome = AttemptOutcome::Succeeded;
            step = match starts.first() {
                Some(run) => plan.step(PlanEvent::Ended { run: *run, outcome }, after),
                None => plan.step(PlanEvent::Tick, after),
            };
        }
    }
}
