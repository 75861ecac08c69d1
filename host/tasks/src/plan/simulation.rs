//! Random tasks, faults, clocks and restarts, and what must hold whatever they are.
//!
//! ```text
//! PROPTEST_CASES=10000 cargo test -p hotbay-tasks --lib simulation
//! ```

mod input;
mod store;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use hotbay_plugin_api::{Durability, Overlap};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use input::{Op, definitions, every, op, plugin, task};
use store::Store;

/// The most runs that are under way at once.
const PLACES: usize = 3;

struct World {
    plan: Plan,
    store: Store,
    definitions: BTreeMap<Arc<str>, TaskDefinition>,
    /// The attempts under way, in the order of their starts, with the tasks.
    running: Vec<RunId>,
    stopping: BTreeSet<RunId>,
    abandoned: BTreeSet<RunId>,
    services: BTreeSet<Arc<str>>,
    clock: Clock,
    requests: u64,
    held: bool,
}

impl World {
    fn new(definitions: Vec<TaskDefinition>) -> Self {
        let clock =
            Clock { now: Timestamp::from_second(1_000_000_000).unwrap(), uptime: Duration::ZERO };
        let definitions: BTreeMap<_, _> =
            definitions.into_iter().enumerate().map(|(n, it)| (task(n), it)).collect();
        let mut world = Self {
            plan: Plan::new(clock, 1),
            store: Store::default(),
            definitions,
            running: Vec::new(),
            stopping: BTreeSet::new(),
            abandoned: BTreeSet::new(),
            services: [plugin(0), plugin(1)].into(),
            clock,
            requests: 0,
            held: false,
        };
        for (task, definition) in &world.definitions {
            if let Trigger::Time(timing) = &definition.trigger {
                world.store.counted.insert(Arc::clone(task), timing.clone());
            }
        }
        world.start();
        world
    }

    /// Tells a new plan what is stored.
    fn start(&mut self) {
        self.plan.set_limit(Limit::All, Some(PLACES));
        self.plan.set_limit(Limit::Key("key".into()), Some(1));
        for (task, definition) in self.definitions.clone() {
            // Intervals are counted from long ago, but begin when the host starts first.
            let now = StoredTask { cursor: Some(self.clock.now), ..StoredTask::default() };
            let stored = self.store.tasks.get(&task).cloned().unwrap_or(now);
            let definition = Box::new(definition);
            self.step(PlanEvent::Define { task, definition, stored: Some(stored) });
        }
        for plugin in self.services.clone() {
            self.step(PlanEvent::Service { plugin, is_there: true });
        }
    }

    fn step(&mut self, event: PlanEvent) {
        let step = self.plan.step(event, self.clock);
        for change in step.changes {
            self.check_held(&change);
            self.store.apply(change);
        }
        for effect in step.effects {
            self.perform(effect);
        }
        self.check();
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Start { run, task, attempt } => {
                assert!(!self.running.contains(&run), "{run:?} runs already");
                let definition = &self.definitions[&task];
                assert!(self.services.contains(&definition.plugin), "{task} has no code");
                assert!(attempt <= definition.retry.attempts, "{run:?}: attempt {attempt}");
                self.running.push(run);
            }
            Effect::Stop { run, .. } => {
                assert!(self.running.contains(&run), "{run:?} does not run");
                assert!(self.stopping.insert(run), "{run:?} was asked before");
            }
        }
    }

    /// Checks that nothing begins by itself of a task that can't be stored.
    fn check_held(&self, change: &Change) {
        let Change::Created { live, .. } = change else { return };
        let is_stored = self.definitions[live.task()].durability != Durability::Memory;
        let is_requested = matches!(live.cause, RunCause::Request(_));
        assert!(is_requested || !self.held || !is_stored, "{live:?} is created while it is held");
    }

    /// Checks what must hold after each step.
    fn check(&self) {
        let stored: BTreeMap<_, _> = self.store.runs.iter().collect();
        assert_eq!(stored, self.plan.runs().iter().collect(), "the store tells the same");
        let with_place = self.plan.runs().iter().filter(|(_, it)| it.state.has_place());
        let with_place: BTreeSet<_> = with_place.map(|(run, _)| *run).collect();
        assert_eq!(with_place, self.running.iter().copied().collect());
        for (run, live) in self.plan.runs() {
            let waits = self.plan.waits_for(*run);
            assert_eq!(waits.is_none(), live.state.has_place(), "{live:?}: {waits:?}");
            if let Some(WaitsFor::Place(limit, holders)) = waits {
                assert!(!holders.is_empty(), "{live:?}: nobody has a place of {limit:?}");
            }
        }
        assert!(self.running.len() <= PLACES);
        let of = |run: &RunId| &self.plan.runs()[run].group;
        let keyed = self.running.iter().filter(|run| of(run).key.is_some()).count();
        assert!(keyed <= 1, "{keyed} runs have the key");
        for (task, definition) in &self.definitions {
            let running = self.running.iter().filter(|run| of(run).task == *task).count();
            let most = if definition.overlap == Overlap::Allow { 2 } else { 1 };
            assert!(running <= most, "{running} runs of {task}");
        }
    }

    fn pass(&mut self, time: Duration) {
        self.clock.now += SignedDuration::try_from(time).unwrap();
        self.clock.uptime += time;
        self.step(PlanEvent::Tick);
    }

    fn end(&mut self, which: usize, outcome: AttemptOutcome) {
        let Some(run) = self.running.get(which % self.running.len().max(1)).copied() else {
            return;
        };
        self.running.retain(|it| *it != run);
        let was_stopping = self.stopping.remove(&run);
        self.abandoned.remove(&run);
        let is_odd = outcome == AttemptOutcome::Stopped && !was_stopping;
        let outcome = if is_odd { AttemptOutcome::Succeeded } else { outcome };
        self.step(PlanEvent::Ended { run, outcome });
    }

    fn restart(&mut self, down: u64, crash: bool) {
        self.clock.now += SignedDuration::from_secs(down as i64);
        self.clock.uptime = Duration::ZERO;
        let last = self.store.runs.keys().chain(self.store.ended.keys()).max();
        self.plan = Plan::new(self.clock, last.map_or(1, |run| run.0 + 1));
        self.held = false;
        let was_running = std::mem::take(&mut self.running);
        self.running.clone_from(&was_running);
        for (run, live) in self.store.runs.clone() {
            self.plan.restore_run(run, live);
        }
        for run in was_running {
            self.running.retain(|it| *it != run);
            let outcome = if crash { AttemptOutcome::Crashed } else { AttemptOutcome::Interrupted };
            self.stopping.remove(&run);
            self.step(PlanEvent::Ended { run, outcome });
        }
        self.start();
    }

    fn perform_op(&mut self, op: Op) {
        let nth = |world: &Self, n: usize| {
            world.definitions.keys().nth(n % world.definitions.len()).cloned().unwrap()
        };
        match op {
            Op::Pass(ms) => self.pass(Duration::from_millis(ms)),
            Op::Set(seconds) => {
                self.clock.now += SignedDuration::from_secs(seconds);
                self.step(PlanEvent::Tick);
            }
            Op::End(which, outcome) => self.end(which, outcome),
            Op::Abandon => {
                let run = self.stopping.iter().find(|run| !self.abandoned.contains(run)).copied();
                if let Some(run) = run {
                    self.abandoned.insert(run);
                    self.step(PlanEvent::Unresponsive { run });
                }
            }
            Op::Restart(down, crash) => self.restart(down, crash),
            Op::Unload(n) => {
                self.services.remove(&plugin(n));
                self.step(PlanEvent::Service { plugin: plugin(n), is_there: false });
            }
            Op::Load(n) => {
                self.services.insert(plugin(n));
                self.step(PlanEvent::Service { plugin: plugin(n), is_there: true });
            }
            Op::Request(n, forced) => {
                self.requests += 1;
                let request = self.requests;
                self.step(PlanEvent::Request {
                    task: nth(self, n),
                    request,
                    channel: None,
                    forced,
                });
            }
            Op::Cancel(n) => {
                let run = self.plan.runs().keys().nth(n).copied();
                if let Some(run) = run {
                    self.step(PlanEvent::Cancel { run });
                }
            }
            Op::Pause(n, paused) => {
                let task = nth(self, n);
                self.store.tasks.entry(Arc::clone(&task)).or_default().paused = paused;
                self.step(PlanEvent::Pause { task, paused });
            }
            Op::Edit(n, interval) => {
                let task = nth(self, n);
                let definition = self.definitions.get_mut(&task).unwrap();
                if interval > 50 && definition.trigger != Trigger::Dependencies {
                    definition.depends_on.clear();
                }
                if matches!(definition.trigger, Trigger::Time(_)) {
                    definition.trigger = every(interval, 0);
                    self.store.nominal.remove(&task);
                    self.store.counted.remove(&task);
                }
                let definition = Box::new(definition.clone());
                self.step(PlanEvent::Define { task, definition, stored: None });
            }
            Op::Hold(held) => {
                self.held = held;
                self.step(PlanEvent::Hold { held });
            }
            Op::Remove(n) => {
                let task = nth(self, n);
                self.step(PlanEvent::Remove { task: Arc::clone(&task) });
                // It comes back as it was.
                let stored = self.store.tasks.get(&task).cloned();
                let definition = Box::new(self.definitions[&task].clone());
                self.step(PlanEvent::Define { task, definition, stored });
            }
        }
    }

    /// Lets everything end: each attempt is successful, and nothing disturbs.
    fn settle(&mut self) {
        self.perform_op(Op::Hold(false));
        for plugin in [plugin(0), plugin(1)] {
            self.services.insert(Arc::clone(&plugin));
            self.step(PlanEvent::Service { plugin, is_there: true });
        }
        let tasks: Vec<_> = self.definitions.keys().cloned().collect();
        for task in tasks {
            self.step(PlanEvent::Pause { task: Arc::clone(&task), paused: false });
            // Nothing new becomes due.
            let mut definition = self.definitions[&task].clone();
            if matches!(definition.trigger, Trigger::Time(_)) {
                definition.trigger = Trigger::Request;
            }
            self.store.counted.remove(&task);
            let definition = Box::new(definition);
            self.step(PlanEvent::Define { task, definition, stored: None });
        }
        for _ in 0..10_000 {
            if self.running.is_empty() && self.plan.next_step().is_none() {
                return;
            }
            self.end(0, AttemptOutcome::Succeeded);
            if self.running.is_empty()
                && let Some(wait) = self.plan.next_step()
            {
                self.pass(wait);
            }
        }
        panic!("runs do not come to an end: {:?}", self.plan.runs());
    }
}

proptest! {
    #[test]
    fn whatever_happens_no_run_is_doubled_or_lost_and_no_limit_is_passed(
        definitions in definitions(),
        ops in proptest::collection::vec(op(), 1..120),
    ) {
        let mut world = World::new(definitions);
        for op in ops {
            world.perform_op(op);
        }
        world.settle();
    }
}
