//! What the scheduler keeps about one task: its status, its orders, its counters.

use std::{
    future::pending,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::SystemTime,
};

use hotbay_plugin_api::{SavedState, SchedulerError, TaskId};
use tokio::sync::watch;

use super::{
    ExecutionStatus, TaskInfo, TaskKind, TaskOptions,
    command::{Command, Commander, Commands, Hold},
};
use crate::bus::SubscriptionId;

pub struct Entry<E> {
    id: TaskId,
    kind: TaskKind,
    options: Mutex<TaskOptions<E>>,
    /// The channels that count this task among their producers.
    produces: Mutex<Vec<E>>,
    /// The subscription of an event task.
    input: Mutex<Option<SubscriptionId>>,
    status: watch::Sender<ExecutionStatus>,
    command: Commander,
    /// Its initialization went well.
    ran: AtomicBool,
    turns: AtomicU64,
    events: AtomicU64,
    record: Mutex<Record>,
    /// Whether a failure is a reason to go back to the build before.
    probation: AtomicBool,
    /// What the task gave after its last event or turn, while on probation.
    checkpoint: Mutex<Option<SavedState>>,
    /// It is being taken out, but its place stays.
    leaving: AtomicBool,
}

struct Record {
    last_error: Option<SchedulerError>,
    started: Option<SystemTime>,
    ended: Option<SystemTime>,
    hook: Hook,
}

/// Whether the task's `shutdown` is to be called: once, if `initialize` was.
enum Hook {
    NotDue,
    Due,
    Called,
}

impl<E: Clone> Entry<E> {
    pub(super) fn new(
        id: TaskId,
        kind: TaskKind,
        options: TaskOptions<E>,
        input: Option<SubscriptionId>,
    ) -> Self {
        let record = Record { last_error: None, started: None, ended: None, hook: Hook::NotDue };
        Self {
            id,
            kind,
            options: Mutex::new(options),
            produces: Mutex::default(),
            input: Mutex::new(input),
            status: watch::Sender::new(ExecutionStatus::Registered),
            command: Commander::new(),
            ran: AtomicBool::new(false),
            turns: AtomicU64::new(0),
            events: AtomicU64::new(0),
            record: Mutex::new(record),
            probation: AtomicBool::new(false),
            checkpoint: Mutex::default(),
            leaving: AtomicBool::new(false),
        }
    }

    pub fn id(&self) -> &TaskId {
        &self.id
    }

    pub fn kind(&self) -> TaskKind {
        self.kind
    }

    pub(super) fn options(&self) -> TaskOptions<E> {
        lock(&self.options).clone()
    }

    pub(super) fn set_options(&self, options: TaskOptions<E>) {
        *lock(&self.options) = options;
    }

    /// The channels that count this task among their producers, to be changed.
    pub(super) fn produces(&self) -> MutexGuard<'_, Vec<E>> {
        lock(&self.produces)
    }

    pub(super) fn input(&self) -> Option<SubscriptionId> {
        *lock(&self.input)
    }

    pub(super) fn set_input(&self, input: Option<SubscriptionId>) {
        *lock(&self.input) = input;
    }

    pub fn status(&self) -> ExecutionStatus {
        self.status.borrow().clone()
    }

    pub(super) fn watch(&self) -> watch::Receiver<ExecutionStatus> {
        self.status.subscribe()
    }

    pub(super) fn info(&self) -> TaskInfo {
        let record = self.record();
        TaskInfo {
            id: self.id.clone(),
            kind: self.kind,
            status: self.status(),
            turns: self.turns.load(Ordering::Relaxed),
            events: self.events.load(Ordering::Relaxed),
            last_error: record.last_error.clone(),
            started: record.started,
            ended: record.ended,
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.status.borrow().has_ended()
    }

    pub(super) async fn ended(&self) {
        self.reaches(ExecutionStatus::has_ended).await;
    }

    /// Whether no driver is at it: it has ended, is held, or waits for its code.
    pub fn is_idle(&self) -> bool {
        let status = self.status.borrow();
        matches!(*status, ExecutionStatus::Held | ExecutionStatus::Waiting) || Self::over(&status)
    }

    pub(super) async fn idle(&self) {
        self.reaches(|status| {
            matches!(status, ExecutionStatus::Held | ExecutionStatus::Waiting) || Self::over(status)
        })
        .await;
    }

    /// Whether its driver has ended, which for a task that was given up is another matter.
    pub(super) fn is_over(&self) -> bool {
        Self::over(&self.status.borrow())
    }

    pub(super) async fn over_at_last(&self) {
        self.reaches(Self::over).await;
    }

    fn over(status: &ExecutionStatus) -> bool {
        let gave_up = *status == ExecutionStatus::DidNotStop;
        *status == ExecutionStatus::Waiting || (status.has_ended() && !gave_up)
    }

    /// Waits until its initialization is over, well or not.
    pub(super) async fn initialized(&self) {
        self.reaches(Self::past_initialization).await;
    }

    /// Whether its initialization is over, well or not.
    pub fn is_initialized(&self) -> bool {
        Self::past_initialization(&self.status.borrow())
    }

    fn past_initialization(status: &ExecutionStatus) -> bool {
        match status {
            ExecutionStatus::Registered | ExecutionStatus::Initializing => false,
            ExecutionStatus::Running
            | ExecutionStatus::Held
            | ExecutionStatus::Waiting
            | ExecutionStatus::Finished
            | ExecutionStatus::Failed { .. }
            | ExecutionStatus::Stopping
            | ExecutionStatus::Stopped
            | ExecutionStatus::DidNotStop => true,
        }
    }

    /// The error of a task that never got to run.
    pub fn failed_to_initialize(&self) -> Option<SchedulerError> {
        let ExecutionStatus::Failed { error } = self.status() else { return None };
        (!self.ran.load(Ordering::Acquire)).then_some(error)
    }

    async fn reaches(&self, condition: impl FnMut(&ExecutionStatus) -> bool) {
        if self.watch().wait_for(condition).await.is_err() {
            // The sender is in `self`.
            pending::<()>().await;
        }
    }

    /// Tells the driver, unless it was told more already.
    pub(super) fn tell(&self, command: Command) {
        self.command.tell(command);
        self.change(|status| {
            let runs = matches!(status, ExecutionStatus::Initializing | ExecutionStatus::Running);
            runs.then_some(ExecutionStatus::Stopping)
        });
    }

    pub(super) fn told(&self) -> Command {
        self.command.told()
    }

    pub(super) fn commands(&self) -> Commands {
        self.command.listen()
    }

    /// The driver begins; from now on the task has to be shut down.
    pub(super) fn begin(&self) {
        let mut record = self.record();
        record.started = Some(SystemTime::now());
        record.hook = Hook::Due;
        drop(record);
        self.change(|status| {
            (*status == ExecutionStatus::Registered).then_some(ExecutionStatus::Initializing)
        });
    }

    pub(super) fn run(&self) {
        self.ran.store(true, Ordering::Release);
        self.change(|status| {
            (*status == ExecutionStatus::Initializing).then_some(ExecutionStatus::Running)
        });
    }

    pub(super) fn count_turn(&self, events: usize) {
        self.turns.fetch_add(1, Ordering::Relaxed);
        self.events.fetch_add(events as u64, Ordering::Relaxed);
    }

    /// The driver has ended.
    pub(super) fn end(&self, last: ExecutionStatus) {
        let mut record = self.record();
        record.ended = Some(SystemTime::now());
        if let ExecutionStatus::Failed { error } = &last {
            record.last_error = Some(error.clone());
        }
        drop(record);
        self.status.send_replace(last);
    }

    /// Gives up waiting for the driver.
    pub(super) fn give_up(&self) {
        self.change(|status| (!status.has_ended()).then_some(ExecutionStatus::DidNotStop));
    }

    /// Whether the `shutdown` hook is to be called, by the caller and now.
    pub(super) fn take_hook(&self) -> bool {
        let mut record = self.record();
        let due = matches!(record.hook, Hook::Due);
        if due {
            record.hook = Hook::Called;
        }
        due
    }

    pub(super) fn hook_failed(&self, error: SchedulerError) {
        self.record().last_error = Some(error.clone());
        // Why a task failed in the first place is worth more.
        self.change(|status| {
            let well = !matches!(status, ExecutionStatus::Failed { .. });
            well.then_some(ExecutionStatus::Failed { error })
        });
    }

    pub(super) fn hold(&self, hold: Hold) {
        self.command.hold(hold);
    }

    /// Whether it is told to step aside.
    pub(super) fn is_to_hold(&self) -> bool {
        self.command.is_held()
    }

    /// A driver stepped aside; `fault` says that it did so because of a failure.
    pub(super) fn held(&self, fault: Option<&SchedulerError>) {
        if let Some(error) = fault {
            self.record().last_error = Some(error.clone());
        }
        self.status.send_replace(ExecutionStatus::Held);
    }

    /// The next driver goes on where the last one stepped aside.
    pub(super) fn go_on(&self) {
        self.command.hold(Hold::No);
        // What failed on probation went with the build that failed.
        self.record().last_error = None;
        self.change(|status| {
            (*status == ExecutionStatus::Held).then_some(ExecutionStatus::Running)
        });
    }

    /// Its place is kept, for a task of the same name.
    pub(super) fn vacate(&self) {
        self.status.send_replace(ExecutionStatus::Waiting);
    }

    /// For a task that begins from the start in the place of one that has ended.
    pub(super) fn begin_anew(&self) {
        self.command.reset();
        self.leaving.store(false, Ordering::Release);
        self.ran.store(false, Ordering::Release);
        let mut record = self.record();
        record.hook = Hook::NotDue;
        record.ended = None;
        record.last_error = None;
        drop(record);
        self.status.send_replace(ExecutionStatus::Registered);
    }

    pub(super) fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    /// Begins or ends the time in which a failure holds the task instead of ending it.
    pub(super) fn set_probation(&self, on: bool) {
        self.probation.store(on, Ordering::Release);
        if !on {
            lock(&self.checkpoint).take();
        }
    }

    pub(super) fn is_on_probation(&self) -> bool {
        self.probation.load(Ordering::Acquire)
    }

    pub(super) fn set_checkpoint(&self, state: SavedState) {
        *lock(&self.checkpoint) = Some(state);
    }

    pub(super) fn take_checkpoint(&self) -> Option<SavedState> {
        lock(&self.checkpoint).take()
    }

    fn change(&self, to: impl FnOnce(&ExecutionStatus) -> Option<ExecutionStatus>) {
        self.status.send_if_modified(|status| match to(status) {
            Some(next) => {
                *status = next;
                true
            }
            None => false,
        });
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        lock(&self.record)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
