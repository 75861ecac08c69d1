use hotbay_plugin_api::Priority;

use super::*;
use crate::plan::{AttemptOutcome, RetryPolicy, RunCounts};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// A run of `p/NAME` that was queued when its host ended.
fn queued(name: &str, since: i64) -> LiveRun {
    let task = format!("p/{name}").into();
    LiveRun {
        group: Group { plugin: "p".into(), task, key: None },
        cause: RunCause::Request(1),
        since: at(since),
        state: RunState::Queued,
        counts: RunCounts::default(),
    }
}

#[test]
fn a_run_that_waited_when_its_host_ended_keeps_its_place_by_the_priority_of_its_task() {
    let clock = Clock { now: at(60), uptime: Duration::ZERO };
    let mut plan = Plan::new(clock, 1);
    plan.set_limit(Limit::All, Some(1));
    plan.restore_run(RunId(1), queued("low", 0));
    plan.restore_run(RunId(2), queued("high", 30));
    for (name, priority) in [("low", Priority::LOW), ("high", Priority::HIGH)] {
        let definition = TaskDefinition::new("p".into(), Trigger::Request);
        let definition = Box::new(TaskDefinition { priority, ..definition });
        let (task, stored) = (format!("p/{name}").into(), Some(StoredTask::default()));
        plan.step(PlanEvent::Define { task, definition, stored }, clock);
    }
    let step = plan.step(PlanEvent::Service { plugin: "p".into(), is_there: true }, clock);
    let started = step.effects.iter().map(|effect| match effect {
        Effect::Start { run, .. } | Effect::Stop { run, .. } => *run,
    });
    assert_eq!(started.collect::<Vec<_>>(), [RunId(2)]);
}

#[test]
fn a_run_that_is_tried_again_keeps_the_place_of_its_age() {
    let clock = |seconds: u64| Clock {
        now: at(i64::try_from(seconds).unwrap()),
        uptime: Duration::from_secs(seconds),
    };
    let mut plan = Plan::new(clock(0), 1);
    plan.set_limit(Limit::All, Some(1));
    let retry =
        RetryPolicy { attempts: 2, delay: Duration::from_secs(5), ..RetryPolicy::default() };
    for name in ["old", "busy", "young"] {
        let definition = TaskDefinition::new("p".into(), Trigger::Request);
        let definition = Box::new(TaskDefinition { retry, ..definition });
        let (task, stored) = (format!("p/{name}").into(), Some(StoredTask::default()));
        plan.step(PlanEvent::Define { task, definition, stored }, clock(0));
    }
    plan.step(PlanEvent::Service { plugin: "p".into(), is_there: true }, clock(0));
    let request = |name: &str, request| PlanEvent::Request {
        task: format!("p/{name}").into(),
        request,
        channel: None,
        forced: false,
    };
    plan.step(request("old", 1), clock(0));
    let outcome = AttemptOutcome::Failed("not yet".to_owned());
    plan.step(PlanEvent::Ended { run: RunId(1), outcome }, clock(1));
    // While the old one waits for its next attempt, another one takes the place, and a younger one comes.
    plan.step(request("busy", 2), clock(2));
    plan.step(request("young", 3), clock(3));
    plan.step(PlanEvent::Tick, clock(20));
    let outcome = AttemptOutcome::Succeeded;
    let step = plan.step(PlanEvent::Ended { run: RunId(2), outcome }, clock(21));
    let [Effect::Start { run, attempt, .. }] = &step.effects[..] else {
        panic!("one place, one run: {:?}", step.effects)
    };
    assert_eq!((*run, *attempt), (RunId(1), 2), "before the run that came meanwhile");
}
