//! The loop that runs tasks as the plan says.
//!
//! The loop takes one event after the other and never waits for a run or for the store: an attempt is
//! a future of its own, which reports its end as an event, and what follows from a step of the plan
//! is done when the store reports that the step is stored.

mod active;
mod changes;
mod recent;
mod requests;
mod words;

use std::{collections::HashMap, sync::Arc, time::Duration};

use hotbay_loader::RunLine;
use hotbay_plugin_api::RunInfo;
use jiff::Timestamp;
use serde_json::Value;
use tokio::{
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender},
        oneshot, watch,
    },
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{
    control::{Answer, TaskRequest},
    installed::InstalledTasks,
    plan::{
        AttemptOutcome, Clock, Effect, Limit, Plan, PlanEvent, RunId, RunLimits, Step, StopReason,
    },
    run_log::RunLines,
};
use active::{ActiveRun, Attempt};
use recent::RecentRuns;
use requests::{Asked, Reply};

/// The longest sleep. A clock that is set, or a system that wakes, is noticed after this time.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Something that the loop has to know.
#[derive(Debug)]
pub(crate) enum RunnerEvent {
    /// Something that the plan has to know.
    Plan(PlanEvent),
    /// An attempt has ended, with what it returned.
    Ended(RunId, AttemptOutcome, Value),
    /// Somebody asks for something.
    Request(TaskRequest, Answer),
    /// How many runs may be under way at once.
    Limits(RunLimits),
    /// All tasks of the plugins that are there are installed: runs may start.
    Begin,
    /// No run is to be started any more. The answer tells that this is so.
    Stop(oneshot::Sender<()>),
}

/// The state of the loop.
#[derive(Debug)]
pub(crate) struct Runner {
    plan: Plan,
    began: Instant,
    /// The time of the next step at the latest.
    next_step: Instant,
    installed: InstalledTasks,
    runs: HashMap<RunId, ActiveRun>,
    recent: RecentRuns,
    lines: RunLines,
    /// The runs that were asked for in the present step, by the number of the request.
    asked: HashMap<u64, Asked>,
    next_request: u64,
    events: UnboundedSender<RunnerEvent>,
    /// The number of attempts under way.
    under_way: watch::Sender<usize>,
}

/// What follows from a step once it is stored.
#[derive(Debug)]
enum Consequence {
    Start(RunId, u32),
    Stop(RunId, StopReason),
    Answer(Reply),
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
        lines: RunLines,
    ) -> Self {
        let clock = Clock { now: now(), uptime: Duration::ZERO };
        let mut plan = Plan::new(clock, 1);
        plan.set_limit(Limit::All, Some(0));
        Self {
            plan,
            began: Instant::now(),
            next_step: Instant::now(),
            installed,
            runs: HashMap::new(),
            recent: RecentRuns::default(),
            lines,
            asked: HashMap::new(),
            next_request: 1,
            events,
            under_way,
        }
    }

    /// Runs until nobody can send an event any more.
    pub(crate) async fn run(mut self, mut events: UnboundedReceiver<RunnerEvent>) {
        loop {
            let event = tokio::select! {
                biased;
                event = events.recv() => match event {
                    Some(event) => event,
                    None => return,
                },
                Some(line) = self.lines.next() => {
                    self.note_line(line);
                    continue;
                }
                () = sleep_until(self.next_step) => RunnerEvent::Plan(PlanEvent::Tick),
            };
            match event {
                RunnerEvent::Plan(event) => self.step(event),
                RunnerEvent::Ended(run, outcome, result) => self.end(run, outcome, result),
                RunnerEvent::Request(request, answer) => self.request(request, answer),
                RunnerEvent::Limits(limits) => {
                    self.plan.set_limits(limits);
                    self.step(PlanEvent::Tick);
                }
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
        let clock = Clock { now: now(), uptime: self.began.elapsed() };
        let Step { changes, effects } = self.plan.step(event, clock);
        let wait = self.plan.next_step().unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
        self.next_step = self.began + clock.uptime + wait;
        let mut consequences: Vec<_> = effects
            .into_iter()
            .map(|effect| match effect {
                Effect::Start { run, attempt, .. } => Consequence::Start(run, attempt),
                Effect::Stop { run, reason } => Consequence::Stop(run, reason),
            })
            .collect();
        for change in changes {
            consequences.extend(self.apply(change, clock.now).map(Consequence::Answer));
        }
        consequences.into_iter().for_each(|it| self.perform(it));
    }

    fn perform(&mut self, consequence: Consequence) {
        match consequence {
            Consequence::Start(run, attempt) => self.begin(run, attempt),
            Consequence::Stop(run, reason) => {
                let Some(active) = self.runs.get_mut(&run) else { return };
                info!(task = &*active.task, run = run.0, "asked to stop: {}", words::stop(reason));
                active.stop = Some(reason);
                if let Some(attempt) = &active.attempt {
                    attempt.stop.cancel();
                }
            }
            Consequence::Answer(reply) => reply.send(),
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
        if active.stop.is_some() {
            stop.cancel();
        }
        active.started.get_or_insert_with(now);
        active.attempt = Some(Attempt { build: Arc::clone(&build), stop: stop.clone() });
        self.under_way.send_modify(|count| *count += 1);
        let info = RunInfo { id: format!("{}/{}", active.task, run.0), attempt };
        let arguments = active.arguments.clone();
        tokio::spawn(async move {
            // The loop outlives its runs, or nobody is interested in their ends any more.
            let send = |event| drop(events.send(event));
            let unresponsive = || send(RunnerEvent::Plan(PlanEvent::Unresponsive { run }));
            let (outcome, result) = build.run(info, arguments, stop, unresponsive).await;
            send(RunnerEvent::Ended(run, outcome, result));
        });
    }

    /// Deals with the end of an attempt.
    fn end(&mut self, run: RunId, outcome: AttemptOutcome, result: Value) {
        // What it logged came before its end.
        while let Some(line) = self.lines.take() {
            self.note_line(line);
        }
        self.note_attempt(run, &outcome, result);
        self.step(PlanEvent::Ended { run, outcome });
        // Whoever waits for the last attempt finds it counted.
        self.under_way.send_modify(|count| *count -= 1);
    }

    /// Keeps a line that a plugin logged during a run.
    fn note_line(&mut self, (at, line): (Timestamp, RunLine)) {
        let lost = self.lines.lost();
        if lost > 0 {
            warn!(lost, "lines of the logs of runs are lost, because they came too fast");
        }
        match self.runs.get_mut(&RunId(line.run)) {
            Some(active) => active.log.push(at, &line),
            None => self.recent.push_line(at, &line),
        }
    }

    /// Takes note of the end of an attempt before the plan decides what follows.
    fn note_attempt(&mut self, run: RunId, outcome: &AttemptOutcome, result: Value) {
        let Some(active) = self.runs.get_mut(&run) else { return };
        active.result = result;
        active.stop = None;
        let build = active.attempt.take().map(|attempt| attempt.build);
        let mut installed = self.installed.lock();
        let Some(task) = installed.get_mut(&active.task) else { return };
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
                let (task, run) = (&*active.task, run.0);
                warn!(task, run, "interrupted, because its build is unloaded or the host stops");
            }
            AttemptOutcome::Stopped | AttemptOutcome::Crashed => {}
        }
    }
}
