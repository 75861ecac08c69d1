//! The loop that runs tasks as the plan says.
//!
//! The loop takes one event after the other and never waits for a run: an attempt is a future of
//! its own, which reports its end as an event.

use std::{collections::HashMap, sync::Arc, time::Duration};

use hotbay_plugin_api::RunInfo;
use jiff::Timestamp;
use tokio::{
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender},
        oneshot, watch,
    },
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::{
    TaskBuild,
    installed::InstalledTasks,
    plan::{
        AttemptOutcome, Change, Clock, Effect, Limit, Plan, PlanEvent, RunId, RunOutcome, RunState,
        Step, StopReason,
    },
};

/// The longest sleep. A clock that is set, or a system that wakes, is noticed after this time.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Something that the loop has to know.
#[derive(Debug)]
pub(crate) enum RunnerEvent {
    /// Something that the plan has to know.
    Plan(PlanEvent),
    /// All tasks of the plugins that are there are installed: runs may start.
    Begin,
    /// No run is to be started any more. The answer tells that this is so.
    Stop(oneshot::Sender<()>),
}

/// A run that has not ended.
#[derive(Debug)]
struct ActiveRun {
    task: Arc<str>,
    /// The number of the run among the runs of its task.
    number: u64,
    /// The build and the stop token of the attempt under way.
    attempt: Option<(Arc<TaskBuild>, CancellationToken)>,
}

/// The state of the loop.
#[derive(Debug)]
pub(crate) struct Runner {
    plan: Plan,
    began: Instant,
    installed: InstalledTasks,
    runs: HashMap<RunId, ActiveRun>,
    events: UnboundedSender<RunnerEvent>,
    /// The number of attempts under way.
    under_way: watch::Sender<usize>,
}

/// Returns the time of the system's clock, or the nearest one that can be shown as a date.
pub(crate) fn now() -> Timestamp {
    let system = std::time::SystemTime::now();
    Timestamp::try_from(system).unwrap_or(match system < std::time::UNIX_EPOCH {
        true => Timestamp::MIN,
        false => Timestamp::MAX,
    })
}

impl Runner {
    pub(crate) fn new(
        installed: InstalledTasks,
        events: UnboundedSender<RunnerEvent>,
        under_way: watch::Sender<usize>,
    ) -> Self {
        let clock = Clock { now: now(), uptime: Duration::ZERO };
        let mut plan = Plan::new(clock, 1);
        plan.set_limit(Limit::All, Some(0));
        Self { plan, began: Instant::now(), installed, runs: HashMap::new(), events, under_way }
    }

    /// Runs until nobody can send an event any more.
    pub(crate) async fn run(mut self, mut events: UnboundedReceiver<RunnerEvent>) {
        loop {
            let wait = self.plan.next_step().unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
            let event = tokio::select! {
                biased;
                event = events.recv() => match event {
                    Some(event) => event,
                    None => return,
                },
                () = sleep(wait) => RunnerEvent::Plan(PlanEvent::Tick),
            };
            match event {
                RunnerEvent::Plan(event) => self.step(event),
                RunnerEvent::Begin => {
                    self.plan.set_limit(Limit::All, None);
                    self.step(PlanEvent::Tick);
                }
                RunnerEvent::Stop(done) => {
                    self.plan.set_limit(Limit::All, Some(0));
                    if done.send(()).is_err() {
                        debug!("nobody waits for the stop any more");
                    }
                }
            }
        }
    }

    fn step(&mut self, event: PlanEvent) {
        let has_ended = if let PlanEvent::Ended { run, outcome } = &event {
            self.attempt_ended(*run, outcome)
        } else {
            false
        };
        let clock = Clock { now: now(), uptime: self.began.elapsed() };
        let Step { changes, effects } = self.plan.step(event, clock);
        changes.into_iter().for_each(|change| self.apply(change));
        effects.into_iter().for_each(|effect| self.perform(effect));
        if has_ended {
            // Whoever waits for the last attempt finds it counted.
            self.under_way.send_modify(|count| *count -= 1);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Start { run, attempt, .. } => self.begin(run, attempt),
            Effect::Stop { run, reason } => {
                let Some(active) = self.runs.get(&run) else { return };
                info!(task = &*active.task, run = active.number, "asked to stop: {}", why(reason));
                if let Some((_, stop)) = &active.attempt {
                    stop.cancel();
                }
            }
        }
    }

    fn begin(&mut self, run: RunId, attempt: u32) {
        let Some(active) = self.runs.get_mut(&run) else { return };
        let events = self.events.clone();
        let build = self.installed.lock().get(&active.task).and_then(|it| it.build.clone());
        let Some(build) = build else {
            // Its plugin was retired this moment: the plan learns of it with the next event.
            let outcome = AttemptOutcome::Interrupted;
            drop(events.send(RunnerEvent::Plan(PlanEvent::Ended { run, outcome })));
            return;
        };
        let stop = CancellationToken::new();
        active.attempt = Some((Arc::clone(&build), stop.clone()));
        self.under_way.send_modify(|count| *count += 1);
        let info = RunInfo { id: format!("{}/{}", active.task, active.number), attempt };
        tokio::spawn(async move {
            // The loop outlives its runs, or nobody is interested in their ends any more.
            let send = |event| drop(events.send(RunnerEvent::Plan(event)));
            let outcome = build.run(info, stop, || send(PlanEvent::Unresponsive { run })).await;
            send(PlanEvent::Ended { run, outcome });
        });
    }

    /// Takes note of the end of an attempt before the plan decides what follows. Returns `false` if
    /// no attempt was under way.
    fn attempt_ended(&mut self, run: RunId, outcome: &AttemptOutcome) -> bool {
        let Some(active) = self.runs.get_mut(&run) else { return false };
        let build = active.attempt.take().map(|(build, _)| build);
        let was_under_way = build.is_some();
        let mut installed = self.installed.lock();
        let Some(task) = installed.get_mut(&active.task) else { return was_under_way };
        match outcome {
            AttemptOutcome::Succeeded => task.counts.failing = false,
            AttemptOutcome::Failed(error) => {
                // A task that failed before as well is not the fault of this build.
                if !std::mem::replace(&mut task.counts.failing, true)
                    && let Some(build) = build
                {
                    build.note_failure(error);
                }
                task.counts.last_error = Some(error.clone());
            }
            AttemptOutcome::Interrupted => {
                let (task, run) = (&*active.task, active.number);
                warn!(task, run, "interrupted, because its build is unloaded or the host stops");
            }
            AttemptOutcome::Stopped | AttemptOutcome::Crashed => {}
        }
        was_under_way
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Created { run, live } => {
                let task = Arc::clone(live.task());
                let mut installed = self.installed.lock();
                let number = installed.get_mut(&task).map_or(0, |it| {
                    it.created += 1;
                    it.created
                });
                self.runs.insert(run, ActiveRun { task, number, attempt: None });
            }
            Change::State { run, state, .. } => {
                let Some(active) = self.runs.get(&run) else { return };
                let (task, run) = (&*active.task, active.number);
                match state {
                    RunState::Delayed(at) => warn!(task, run, "failed, and is tried again at {at}"),
                    RunState::Abandoned(reason) => {
                        let why = why(reason);
                        warn!(task, run, "does not stop, although it was asked to: {why}");
                    }
                    RunState::Dependencies | RunState::Queued | RunState::Running { .. } => {}
                }
            }
            Change::Ended { run, outcome } => self.ended(run, outcome),
            Change::Skipped { task, reason, .. } => {
                debug!(task = &*task, ?reason, "a run that was due does not take place");
            }
            Change::Missed { task, missed } => {
                let (count, first, last) = (missed.count, missed.first, missed.last);
                let task = &*task;
                warn!(task, count, %first, %last, "runs were missed, because the system slept or its clock was set");
            }
            Change::Cursor { .. } | Change::Edges { .. } => {}
        }
    }

    fn ended(&mut self, run: RunId, outcome: RunOutcome) {
        let Some(active) = self.runs.remove(&run) else { return };
        let mut installed = self.installed.lock();
        let Some(task) = installed.get_mut(&active.task) else { return };
        let (id, run) = (&*active.task, active.number);
        match outcome {
            RunOutcome::Succeeded => {
                debug!(task = id, run, "a run is done");
                task.counts.done += 1;
            }
            RunOutcome::Failed(_) | RunOutcome::TimedOut | RunOutcome::Parked => {
                let failure = outcome.failure().unwrap_or_default();
                error!(task = id, run, "a run failed: {failure}");
                task.counts.failed += 1;
                if !matches!(outcome, RunOutcome::Failed(_)) {
                    task.counts.last_error = Some(failure);
                }
            }
            RunOutcome::Cancelled | RunOutcome::Replaced | RunOutcome::Skipped { .. } => {
                info!(task = id, run, "a run {outcome}");
            }
        }
    }
}

fn why(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Cancelled => "it was cancelled",
        StopReason::Replaced => "a newer run takes its place",
        StopReason::TimeLimit => "it passed its time limit",
        StopReason::Interrupted => "its build is unloaded, or the host stops",
    }
}
