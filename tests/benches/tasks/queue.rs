//! 1,000,000 runs of mixed priority that wait in one plan.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hotbay_plugin_api::{Overlap, Priority};
use hotbay_tasks::plan::{
    AttemptOutcome, Change, Clock, Effect, Limit, Plan, PlanEvent, RunId, Trigger,
};
use hotbay_tests::heap_in_use;
use jiff::{SignedDuration, Timestamp};

use super::periodic::definition;

const RUNS: u64 = 1_000_000;
const TASKS: usize = 300;

/// The durations of one kind of step.
#[derive(Default)]
struct Steps(Vec<Duration>);

impl Steps {
    fn time<T>(&mut self, step: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let result = step();
        self.0.push(began.elapsed());
        result
    }

    fn print(mut self, what: &str) {
        self.0.sort_unstable();
        let at = |of_10_000: usize| self.0[(self.0.len() - 1) * of_10_000 / 10_000];
        println!(
            "queue: {what}: p50 {:.1?}, p99 {:.1?}, p99.99 {:.1?}, the longest {:.1?}",
            at(5_000),
            at(9_900),
            at(9_999),
            at(10_000)
        );
    }
}

pub(super) fn run() {
    let start = Timestamp::from_second(1_800_000_000).expect("it is a time");
    let plugin: Arc<str> = "bench".into();
    let clock = |n: u64| {
        let uptime = Duration::from_micros(n * 100);
        Clock { now: start + SignedDuration::try_from(uptime).expect("it is short"), uptime }
    };
    let mut plan = Plan::new(clock(0), 1);
    plan.set_limit(Limit::All, Some(0));
    let tasks: Vec<Arc<str>> = (0..TASKS).map(|n| format!("bench/task-{n}").into()).collect();
    for (n, task) in tasks.iter().enumerate() {
        let priority = Priority([-100, 0, 100][n % 3]);
        let overlap = Overlap::Allow;
        let definition = definition(&plugin, Trigger::Request);
        let definition =
            Box::new(hotbay_tasks::plan::TaskDefinition { priority, overlap, ..definition });
        plan.step(PlanEvent::Define { task: Arc::clone(task), definition, stored: None }, clock(0));
    }
    plan.step(PlanEvent::Service { plugin, is_there: true }, clock(0));

    let before = heap_in_use();
    let (mut enqueue, mut claim, mut cancel) =
        (Steps::default(), Steps::default(), Steps::default());
    enqueue.0.reserve(1_000_000);
    let mut random = 1u64;
    for n in 0..RUNS {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let task = Arc::clone(&tasks[(random >> 33) as usize % TASKS]);
        let event = PlanEvent::Request { task, request: n, channel: None, forced: false };
        enqueue.time(|| plan.step(event, clock(n)));
    }
    let bytes = heap_in_use().saturating_sub(before) / RUNS;
    println!("queue: {RUNS} runs wait, {bytes} bytes each");
    enqueue.print("enqueue");

    // A tenth is cancelled, from all over the queue.
    for n in (0..RUNS).step_by(10) {
        let event = PlanEvent::Cancel { run: RunId(n + 1) };
        cancel.time(|| plan.step(event, clock(RUNS)));
    }
    cancel.print("cancel");

    // One place: each end claims the next run.
    plan.set_limit(Limit::All, Some(1));
    let rank = |plan: &Plan, run: RunId| {
        let live = &plan.runs()[&run];
        let task = tasks.iter().position(|it| it == live.task()).unwrap_or_default();
        let priority = i64::from([-100, 0, 100][task % 3]);
        live.since.as_millisecond() - priority * 1_000
    };
    let mut next = plan.step(PlanEvent::Tick, clock(RUNS)).effects;
    let (mut last, mut claimed) = (i64::MIN, 0u64);
    while let Some(Effect::Start { run, .. }) = next.pop() {
        if claimed % 100 == 0 {
            let rank = rank(&plan, run);
            assert!(rank >= last, "the order of priority and age");
            last = rank;
        }
        claimed += 1;
        let event = PlanEvent::Ended { run, outcome: AttemptOutcome::Succeeded };
        let step = claim.time(|| plan.step(event, clock(RUNS + claimed)));
        assert!(step.changes.iter().any(|it| matches!(it, Change::Ended { .. })));
        next = step.effects;
    }
    assert_eq!(claimed, RUNS - RUNS / 10);
    claim.print("end of a run and claim of the next");
}
