//! The state of the plan, and its steps.

mod define;
mod due;
mod ended;
mod held;
mod planned;
mod waits;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    mem,
    sync::Arc,
    time::Duration,
};

use planned::{PlannedTask, Policies};
pub use waits::WaitsFor;

use hotbay_plugin_api::Overlap;
use jiff::{SignedDuration, Timestamp};

use super::{
    Change, Clock, Dependencies, DependencyEdge, DueTime, Effect, Group, Limit, LiveRun, PlanEvent,
    Rank, ReadyQueue, RunCause, RunId, RunLimits, RunState, SkipReason, Step, StopReason,
    TaskDefinition, Timing, Trigger,
};

/// By how much the system's clock may differ from the time that has passed before it counts as
/// set.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(2);

/// If the clock is set back by more than this, schedules go on from the new time, and not from
/// where they were.
const CLOCK_RESET: SignedDuration = SignedDuration::from_hours(25);

/// Decides which runs of tasks begin when.
///
/// Each step takes an event and the time, and returns what has to be stored and then done. Between
/// steps, [`Plan::next_step`] tells when the next one is needed at the latest.
#[derive(Debug)]
pub struct Plan {
    /// Boxed, because a table keeps room for more entries than it has.
    tasks: HashMap<Arc<str>, Box<PlannedTask>>,
    policies: Policies,
    runs: BTreeMap<RunId, LiveRun>,
    ready: ReadyQueue,
    /// The times at which runs are due, or are tried again.
    due: BTreeSet<(Timestamp, Waker)>,
    /// The time limits of attempts, in time since the plan was made.
    deadlines: BTreeSet<(Duration, RunId)>,
    /// The plugins that have a build in service.
    services: BTreeSet<Arc<str>>,
    /// The tasks that depend on a task.
    dependents: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
    next_run: u64,
    clock: Clock,
    /// The clock was set from this time to the present one. Runs that were due in between, and
    /// were not dealt with yet, were missed.
    missed_after: Option<Timestamp>,
    /// What has to be stored can't be stored now.
    held: bool,
    /// The runs of tasks that are not defined.
    orphans: HashMap<Arc<str>, BTreeSet<RunId>>,
    step: Step,
}

/// The task or run that waits for a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Waker {
    Task(Arc<str>),
    Run(RunId),
}

/// What is stored of a task.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StoredTask {
    /// Runs are dealt with up to this nominal time. `None` for a task that is new.
    pub cursor: Option<Timestamp>,
    /// The dependencies, as they were last.
    pub edges: Vec<DependencyEdge>,
    /// The task is paused.
    pub paused: bool,
}

impl Plan {
    /// Makes a plan without tasks. Runs get numbers from `next_run` on.
    pub fn new(clock: Clock, next_run: u64) -> Self {
        Self {
            tasks: HashMap::new(),
            policies: Policies::default(),
            runs: BTreeMap::new(),
            ready: ReadyQueue::default(),
            due: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            services: BTreeSet::new(),
            dependents: HashMap::new(),
            next_run,
            clock,
            missed_after: None,
            held: false,
            orphans: HashMap::new(),
            step: Step::default(),
        }
    }

    /// Sets how many runs may be under way at once, in all and of each plugin and key.
    pub fn set_limits(&mut self, limits: RunLimits) {
        self.ready.set_limits(limits);
    }

    /// Sets how many runs may be under way at once, in all or of one plugin or key.
    pub fn set_limit(&mut self, limit: Limit, most: Option<usize>) {
        self.ready.set_limit(limit, most);
    }

    /// Sets the number of the next run.
    pub fn set_next_run(&mut self, next: u64) {
        self.next_run = next;
    }

    /// Restores a run that had not ended when the host did.
    ///
    /// A run that was running is to be reported as ended, with what became of its attempt.
    pub fn restore_run(&mut self, run: RunId, live: LiveRun) {
        self.next_run = self.next_run.max(run.0 + 1);
        let task = live.task();
        match self.tasks.get_mut(task) {
            Some(planned) => drop(planned.live.insert(run)),
            None => {
                self.ready.set_limit(Limit::Task(Arc::clone(task)), Some(0));
                self.orphans.entry(Arc::clone(task)).or_default().insert(run);
            }
        }
        self.insert_run(run, live);
    }

    /// Inserts a run, and lets it wait for what its state says.
    fn insert_run(&mut self, run: RunId, live: LiveRun) {
        match live.state {
            RunState::Delayed(at) => {
                self.due.insert((at, Waker::Run(run)));
            }
            RunState::Queued => self.enqueue(run, &live),
            RunState::Dependencies => {
                if let Some(planned) = self.tasks.get_mut(live.task()) {
                    planned.waits(run);
                }
            }
            RunState::Running { .. } | RunState::Abandoned(_) => {}
        }
        self.runs.insert(run, live);
    }

    /// Takes note of an event and of the time, and decides what follows.
    pub fn step(&mut self, event: PlanEvent, clock: Clock) -> Step {
        self.pass_time(clock);
        match event {
            PlanEvent::Define { task, definition, stored } => {
                self.define(&task, *definition, stored);
            }
            PlanEvent::Remove { task } => self.remove(&task),
            PlanEvent::Service { plugin, is_there } => self.set_service(plugin, is_there),
            PlanEvent::Pause { task, paused } => self.set_paused(&task, paused),
            PlanEvent::Hold { held } => self.set_held(held),
            PlanEvent::Request { task, request, channel, forced } => {
                let cause = match channel {
                    Some(channel) => RunCause::Event { request, channel },
                    None => RunCause::Request(request),
                };
                self.request(&task, cause, forced);
            }
            PlanEvent::Cancel { run } => self.stop(run, StopReason::Cancelled),
            PlanEvent::Ended { run, outcome } => self.ended(run, outcome),
            PlanEvent::Duplicate { run } => self.drop_duplicate(run),
            PlanEvent::Unresponsive { run } => self.abandon(run),
            PlanEvent::Tick => {}
        }
        self.start_waiting();
        mem::take(&mut self.step)
    }

    /// Returns how long the next step may be put off, if nothing happens.
    pub fn next_step(&self) -> Option<Duration> {
        let until = |at: Timestamp| {
            Duration::try_from(at.duration_since(self.clock.now)).unwrap_or(Duration::ZERO)
        };
        let due = self.due.first().map(|(at, _)| until(*at));
        let rate = self.ready.next_time().map(until);
        let deadline = self.deadlines.first().map(|(at, _)| at.saturating_sub(self.clock.uptime));
        [due, rate, deadline].into_iter().flatten().min()
    }

    /// Returns the schedule of a task that has times.
    pub fn timing(&self, task: &str) -> Option<&Timing> {
        match &self.tasks.get(task)?.trigger {
            Trigger::Time(timing) => Some(timing),
            Trigger::Start | Trigger::Dependencies | Trigger::Request => None,
        }
    }

    /// Returns the time at which the next run of a task is due.
    pub fn next_due(&self, task: &str) -> Option<Timestamp> {
        self.tasks.get(task)?.next.map(|due| due.start)
    }

    /// Returns the number of runs of a task that have a place, and of those that wait.
    pub fn live_of(&self, task: &str) -> (u64, u64) {
        let orphans = self.orphans.get(task);
        let live = self.tasks.get(task).map(|it| &it.live).or(orphans).into_iter().flatten();
        let states = live.filter_map(|run| self.runs.get(run)).map(|it| it.state.has_place());
        states.fold((0, 0), |(running, waiting), has_place| match has_place {
            true => (running + 1, waiting),
            false => (running, waiting + 1),
        })
    }

    /// Returns the runs that have not ended.
    pub fn runs(&self) -> &BTreeMap<RunId, LiveRun> {
        &self.runs
    }

    /// Returns the number of the next run, which no other run or record has.
    pub fn take_number(&mut self) -> RunId {
        let run = RunId(self.next_run);
        self.next_run += 1;
        run
    }

    fn set_service(&mut self, plugin: Arc<str>, is_there: bool) {
        if is_there {
            self.services.insert(Arc::clone(&plugin));
        } else {
            self.services.remove(&plugin);
        }
        let of_plugin = self.tasks.iter().filter(|(_, it)| it.policy.plugin == plugin);
        let tasks: Vec<_> = of_plugin.map(|(task, _)| Arc::clone(task)).collect();
        for task in tasks {
            self.limit_task(&task);
            self.start_if_in_service(&task);
        }
    }

    fn set_paused(&mut self, task: &Arc<str>, paused: bool) {
        if let Some(planned) = self.tasks.get_mut(task) {
            planned.paused = paused;
            self.limit_task(task);
        }
    }

    /// Sets how many runs of a task may be under way: none while it has no code to run, one if
    /// runs must not overlap.
    fn limit_task(&mut self, task: &Arc<str>) {
        let Some(planned) = self.tasks.get(task) else { return };
        let can_run = self.services.contains(&planned.policy.plugin) && !planned.paused;
        let most = match (can_run, planned.policy.overlap) {
            (false, _) => Some(0),
            (true, Overlap::Allow) => Some(planned.policy.at_once.unwrap_or(usize::MAX)),
            // One, which is so if nothing is set.
            (true, Overlap::Skip | Overlap::Queue | Overlap::Replace) => None,
        };
        self.ready.set_limit(Limit::Task(Arc::clone(task)), most);
    }

    /// Returns why a task can't have runs, as far as tasks that depend on it are concerned.
    fn unavailable(&self, task: &str) -> Option<String> {
        (!self.tasks.contains_key(task)).then(|| "there is no such task".to_owned())
    }

    fn tell_dependents(&mut self, task: &str, unavailable: Option<&str>) {
        for dependent in self.dependents.get(task).cloned().unwrap_or_default() {
            let planned = self.tasks.get_mut(&dependent);
            if let Some(upstream) = planned.and_then(|it| it.upstream.as_mut()) {
                upstream.dependencies.set_available(task, unavailable);
            }
            self.follow_dependencies(&dependent);
        }
    }

    /// Starts runs as long as there are places.
    fn start_waiting(&mut self) {
        while let Some(run) = self.ready.claim(self.clock.now) {
            let Some(live) = self.runs.get_mut(&run) else { continue };
            live.counts.attempts += 1;
            let timeout = self.tasks.get(live.task()).and_then(|it| it.policy.timeout);
            let deadline = timeout.map(|limit| self.clock.uptime.saturating_add(limit));
            live.state = RunState::Running { deadline, stopping: None };
            let (task, attempt) = (Arc::clone(live.task()), live.counts.attempts);
            deadline.map(|at| self.deadlines.insert((at, run)));
            self.note_state(run);
            self.step.effects.push(Effect::Start { run, task, attempt });
        }
    }

    fn enqueue(&mut self, run: RunId, live: &LiveRun) {
        let priority = self.tasks.get(live.task()).map(|it| it.policy.priority);
        let rank = Rank::new(priority.unwrap_or_default(), live.since);
        self.ready.insert(run, rank, live.group.clone());
    }

    fn note_state(&mut self, run: RunId) {
        if let Some(live) = self.runs.get(&run) {
            let (state, counts) = (live.state.clone(), live.counts);
            self.step.changes.push(Change::State { run, state, counts });
        }
    }

    fn skip(&mut self, task: &Arc<str>, cause: RunCause, reason: SkipReason) {
        let run = self.take_number();
        self.step.changes.push(Change::Skipped { run, task: Arc::clone(task), cause, reason });
    }
}

#[cfg(test)]
mod tests;
