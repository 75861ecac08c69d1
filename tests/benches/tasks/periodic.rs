//! 100,000 periodic tasks in one plan.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use hotbay_plugin_api::Durability;
use hotbay_tasks::plan::{
    AttemptOutcome, Clock, Effect, Plan, PlanEvent, Recurrence, StoredTask, TaskDefinition, Timing,
    Trigger,
};
use hotbay_tests::heap_in_use;
use jiff::{SignedDuration, Timestamp};

const TASKS: usize = 100_000;
/// With this interval, 2,000 runs are due each second.
const INTERVAL: SignedDuration = SignedDuration::from_secs(50);

pub(super) fn definition(plugin: &Arc<str>, trigger: Trigger) -> TaskDefinition {
    let durability = Durability::Memory;
    TaskDefinition { durability, ..TaskDefinition::new(Arc::clone(plugin), trigger) }
}

pub(super) fn run() {
    let start = Timestamp::from_second(1_800_000_000).expect("it is a time");
    let clock = |uptime: Duration| Clock {
        now: start + SignedDuration::try_from(uptime).expect("it is short"),
        uptime,
    };
    let plugin: Arc<str> = "bench".into();
    let names: Vec<Arc<str>> = (0..TASKS).map(|n| format!("bench/task-{n}").into()).collect();
    let before = heap_in_use();
    let began = Instant::now();
    let mut plan = Plan::new(clock(Duration::ZERO), 1);
    for (n, task) in names.iter().enumerate() {
        let anchor = start + SignedDuration::from_micros(n as i64 * 500);
        let recurrence = Recurrence::Every { interval: INTERVAL, anchor };
        let definition = definition(&plugin, Trigger::Time(Timing::new(recurrence)));
        let stored = Some(StoredTask { cursor: Some(start), ..StoredTask::default() });
        let (task, definition) = (Arc::clone(task), Box::new(definition));
        plan.step(PlanEvent::Define { task, definition, stored }, clock(Duration::ZERO));
    }
    plan.step(
        PlanEvent::Service { plugin: Arc::clone(&plugin), is_there: true },
        clock(Duration::ZERO),
    );
    let defined = began.elapsed();
    let bytes = heap_in_use().saturating_sub(before) / TASKS as u64;
    println!("periodic: {TASKS} tasks defined in {defined:.0?}, {bytes} bytes each in the plan");

    // One minute of simulated time, in the steps that the plan asks for.
    let (mut uptime, mut runs, mut steps, mut longest) =
        (Duration::ZERO, 0u64, 0u64, Duration::ZERO);
    let began = Instant::now();
    while uptime < Duration::from_secs(60) {
        uptime += plan.next_step().expect("something is due");
        let step = Instant::now();
        let mut effects = plan.step(PlanEvent::Tick, clock(uptime)).effects;
        longest = longest.max(step.elapsed());
        steps += 1;
        while let Some(effect) = effects.pop() {
            if let Effect::Start { run, .. } = effect {
                runs += 1;
                let event = PlanEvent::Ended { run, outcome: AttemptOutcome::Succeeded };
                effects.extend(plan.step(event, clock(uptime)).effects);
            }
        }
    }
    let took = began.elapsed();
    println!(
        "periodic: {runs} runs in a simulated minute took {took:.0?} in {steps} steps: {:.1} µs a \
         run, {:.2} % of a core; the longest step {longest:.0?}",
        took.as_secs_f64() * 1e6 / runs as f64,
        took.as_secs_f64() / 60.0 * 100.0,
    );
    black_box(&plan);
}
