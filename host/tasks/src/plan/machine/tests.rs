use hotbay_plugin_api::Priority;

use super::*;
use crate::plan::RunCounts;

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
