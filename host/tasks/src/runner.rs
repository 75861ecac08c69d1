//! The loop that runs tasks as the plan says.
//!
//! The loop takes one event after the other and never waits for a run or for the store: an attempt is
//! a future of its own, which reports its end as an event, and what follows from a step of the plan
//! is done when the store reports that the step is stored.

mod active;
mod attempts;
mod changes;
mod history;
mod recent;
mod reopened;
mod requests;
mod restored;
mod skipped_events;
pub(crate) mod stored;
mod words;
mod writes;

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

use hotbay_config::History;
use hotbay_plugin_api::Durability;
use hotbay_store::store::{Epoch, Store, StoreError, Written};
use jiff::Timestamp;
use serde_json::Value;
use tokio::{
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender},
        oneshot, watch,
    },
    time::{Instant, sleep_until},
};
use tracing::{debug, error, info, warn};

use crate::{
    LastEnd, OpenedStore,
    control::{Answer, EventRequest, TaskRequest},
    installed::{InstalledTasks, StoredTasks},
    opened,
    plan::{
        AttemptOutcome, Clock, Effect, Limit, Plan, PlanEvent, RunId, RunLimits, Step, StopReason,
    },
    run_log::RunLines,
};
use active::ActiveRun;
use recent::RecentRuns;
use requests::{Asked, Reply};
use skipped_events::{Records, Unrecorded};
use writes::{NextBatch, OpenStore, Writes};

pub(crate) use hotbay_store::clock::now;
pub(crate) use writes::TaskStore;

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
    /// An event asks for a run of a task.
    Event(EventRequest, Answer),
    /// How many runs may be under way at once.
    Limits(RunLimits),
    /// A task is defined, with its schedule and its anchor if these are not stored.
    Define(PlanEvent, Option<Scheduling>),
    /// What the store says about a batch.
    Written(u64, Result<Written, StoreError>),
    /// Something that was read from the store is there.
    Resume(Resume),
    /// Another host runs these tasks now.
    Fenced,
    /// The answer is wanted when everything is stored: the store, if there is one. Attempts that are
    /// still under way are taken for interrupted, because the process ends.
    Close(oneshot::Sender<Option<OpenStore>>),
    /// The store, which could not be opened before, is open.
    Opened(Box<OpenedStore>),
    /// The store still can't be opened, for this reason.
    Unavailable(String),
    /// All tasks of the plugins that are there are installed: runs may start.
    Begin,
    /// No run is to be started any more. The answer tells that this is so.
    Stop(oneshot::Sender<()>),
}

/// The text of a schedule, and the instant from which its intervals are counted.
pub(crate) type Scheduling = (String, Timestamp);

/// What is to be done in the loop.
pub(crate) struct Resume(Box<dyn FnOnce(&mut Runner) + Send>);

impl fmt::Debug for Resume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resume").finish_non_exhaustive()
    }
}

/// The state of the loop.
#[derive(Debug)]
pub(crate) struct Runner {
    plan: Plan,
    began: Instant,
    /// The time of the next step at the latest.
    next_step: Instant,
    installed: InstalledTasks,
    stored: StoredTasks,
    /// Which runs are kept in the store once they have ended.
    history: watch::Receiver<History>,
    /// All tasks of the plugins that are there were installed.
    begun: bool,
    runs: HashMap<RunId, ActiveRun>,
    recent: RecentRuns,
    lines: RunLines,
    /// The runs that were asked for in the present step, by the number of the request.
    asked: HashMap<u64, Asked>,
    next_request: u64,
    unrecorded: Unrecorded,
    /// The answers about the present step.
    replies: Vec<Reply>,
    /// What the present step is to store.
    batch: NextBatch,
    writes: Writes,
    /// The runs that were under way when the host before ended, with the numbers of their attempts,
    /// until the tasks are there that say what follows.
    left_over: Vec<(RunId, u32)>,
    /// How the host before ended.
    last_end: LastEnd,
    /// The stored runs that ended last, about which lines may still come.
    ended_last: VecDeque<RunId>,
    /// No attempt begins any more.
    stopping: bool,
    closing: Option<oneshot::Sender<Option<OpenStore>>>,
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

impl Runner {
    pub(crate) fn new(
        (installed, stored): (InstalledTasks, StoredTasks),
        events: UnboundedSender<RunnerEvent>,
        under_way: watch::Sender<usize>,
        lines: RunLines,
        store: TaskStore,
        history: watch::Receiver<History>,
    ) -> Self {
        let clock = Clock { now: now(), uptime: Duration::ZERO };
        let mut plan = Plan::new(clock, 1);
        plan.set_limit(Limit::All, Some(0));
        let is_open = matches!(store, TaskStore::Open(..));
        let writes = Writes::new(store, events.clone());
        Self {
            plan,
            began: Instant::now(),
            next_step: Instant::now(),
            installed,
            stored,
            history,
            begun: false,
            runs: HashMap::new(),
            recent: RecentRuns::default(),
            lines,
            asked: HashMap::new(),
            next_request: 1,
            unrecorded: Unrecorded::default(),
            replies: Vec::new(),
            batch: NextBatch::new(is_open),
            writes,
            left_over: Vec::new(),
            last_end: LastEnd::Unknown,
            ended_last: VecDeque::new(),
            stopping: false,
            closing: None,
            events,
            under_way,
        }
    }

    /// Runs until nobody can send an event any more.
    pub(crate) async fn run(mut self, mut events: UnboundedReceiver<RunnerEvent>) {
        if self.writes.failure().is_some() {
            self.step(PlanEvent::Hold { held: true });
        }
        match self.writes.store() {
            TaskStore::Open(store, epoch) => self.keep_up(Arc::clone(store), *epoch),
            TaskStore::Unavailable { folder, .. } => {
                tokio::spawn(opened::reopen(folder.clone(), self.events.downgrade()));
            }
            TaskStore::None => {}
        }
        loop {
            let wake = self.writes.retry_at().map_or(self.next_step, |at| at.min(self.next_step));
            let event = tokio::select! {
                biased;
                event = events.recv() => match event {
                    Some(event) => event,
                    None => return,
                },
                Some(line) = self.lines.next() => {
                    self.note_line(line);
                    self.note_lines();
                    self.flush(Vec::new());
                    continue;
                }
                () = sleep_until(wake) => {
                    if self.writes.retry_at().is_some_and(|at| at <= Instant::now()) {
                        self.writes.retry();
                    }
                    RunnerEvent::Plan(PlanEvent::Tick)
                }
            };
            match event {
                RunnerEvent::Plan(event) => self.step(event),
                RunnerEvent::Ended(run, outcome, result) => self.end(run, outcome, result),
                RunnerEvent::Request(request, answer) => self.request(request, answer),
                RunnerEvent::Event(request, answer) => self.run_for_event(request, answer),
                RunnerEvent::Limits(limits) => {
                    self.plan.set_limits(limits);
                    self.step(PlanEvent::Tick);
                }
                RunnerEvent::Begin => {
                    self.begun = true;
                    self.resolve_left_over();
                    self.plan.set_limit(Limit::All, None);
                    self.step(PlanEvent::Tick);
                }
                RunnerEvent::Define(define, schedule) => self.define(define, schedule),
                RunnerEvent::Written(number, result) => self.written(number, result),
                RunnerEvent::Resume(Resume(resume)) => resume(&mut self),
                RunnerEvent::Opened(opened) => self.reopened(*opened),
                RunnerEvent::Unavailable(reason) => self.writes.note_unavailable(reason),
                RunnerEvent::Fenced => {
                    error!("another host runs these tasks now; this one begins none of them");
                    self.step(PlanEvent::Hold { held: true });
                }
                RunnerEvent::Close(done) => {
                    // A host that was stopped before its tasks began knows who ended the one before.
                    self.resolve_left_over();
                    self.interrupt_all();
                    self.record_skipped_events(Records::All);
                    self.flush(Vec::new());
                    self.closing = Some(done);
                }
                RunnerEvent::Stop(done) => {
                    self.stopping = true;
                    self.plan.set_limit(Limit::All, Some(0));
                    if done.send(()).is_err() {
                        debug!("nobody waits for the stop any more");
                    }
                }
            }
            if self.writes.is_empty()
                && let Some(closing) = self.closing.take()
                && closing.send(self.writes.opened()).is_err()
            {
                debug!("nobody waits for the store any more");
            }
        }
    }

    /// Keeps this host in charge of its store, and the store small.
    fn keep_up(&self, store: Arc<dyn Store>, epoch: Epoch) {
        let (history, events) = (self.history.clone(), self.events.downgrade());
        tokio::spawn(opened::upkeep(store, epoch, history, events));
    }

    fn step(&mut self, event: PlanEvent) {
        let consequences = self.decide(event);
        self.flush(consequences);
    }

    /// Lets the plan decide what follows from an event, and adds it to what is to be stored.
    fn decide(&mut self, event: PlanEvent) -> Vec<Consequence> {
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
            self.apply(change, clock.now);
        }
        self.record_skipped_events(Records::Due);
        consequences.extend(std::mem::take(&mut self.replies).into_iter().map(Consequence::Answer));
        consequences
    }

    /// Stores what is to be stored, and does what follows: at once, or when it is stored.
    fn flush(&mut self, consequences: Vec<Consequence>) {
        let is_durable = |it: &Consequence| match it {
            Consequence::Start(run, _) | Consequence::Stop(run, _) => {
                self.runs.get(run).is_some_and(|run| run.durability == Durability::Fsync)
            }
            Consequence::Answer(_) => true,
        };
        let (durable, mut now): (Vec<_>, Vec<_>) = consequences.into_iter().partition(is_durable);
        now.extend(self.writes.submit(&mut self.batch, durable));
        now.into_iter().for_each(|it| self.perform(it));
    }

    /// Does what follows from a batch that is stored.
    fn written(&mut self, number: u64, result: Result<Written, StoreError>) {
        let writes::Outcome { then, duplicates, held } = self.writes.written(number, result);
        for run in duplicates {
            warn!(run = run.0, "a run does not take place, because it has taken place already");
            self.runs.remove(&run);
            self.step(PlanEvent::Duplicate { run });
        }
        if let Some(held) = held {
            self.step(PlanEvent::Hold { held });
        }
        then.into_iter().for_each(|it| self.perform(it));
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
}
