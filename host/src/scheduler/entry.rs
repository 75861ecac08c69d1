//! What the scheduler keeps about one task: its status, its orders, its counters.

use std::{
    future::pending,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::SystemTime,
};

use hotbay_plugin_api::{SchedulerError, TaskId};
use tokio::sync::watch;

use super::{
    ExecutionStatus, TaskInfo, TaskKind, TaskOptions,
    command::{Command, Commander, Commands},
};
use crate::bus::SubscriptionId;

pub(crate) struct Entry<E> {
    id: TaskId,
    kind: TaskKind,
    options: TaskOptions<E>,
    /// The subscription of an event task.
    input: Option<SubscriptionId>,
    status: watch::Sender<ExecutionStatus>,
    command: Commander,
    /// Its initialization went well.
    ran: AtomicBool,
    turns: AtomicU64,
    events: AtomicU64,
    record: Mutex<Record>,
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

impl<E> Entry<E> {
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
            options,
            input,
            status: watch::Sender::new(ExecutionStatus::Registered),
            command: Commander::new(),
            ran: AtomicBool::new(false),
            turns: AtomicU64::new(0),
            events: AtomicU64::new(0),
            record: Mutex::new(record),
        }
    }

    pub(crate) fn id(&self) -> &TaskId {
        &self.id
    }

    pub(crate) fn kind(&self) -> TaskKind {
        self.kind
    }

    pub(super) fn options(&self) -> &TaskOptions<E> {
        &self.options
    }

    pub(super) fn input(&self) -> Option<SubscriptionId> {
        self.input
    }

    pub(crate) fn status(&self) -> ExecutionStatus {
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

    /// Whether its driver has ended, which for a task that was given up is another matter.
    pub(super) fn is_over(&self) -> bool {
        Self::over(&self.status.borrow())
    }

    pub(super) async fn over_at_last(&self) {
        self.reaches(Self::over).await;
    }

    fn over(status: &ExecutionStatus) -> bool {
        status.has_ended() && *status != ExecutionStatus::DidNotStop
    }

    /// Waits until its initialization is over, well or not.
    pub(super) async fn initialized(&self) {
        self.reaches(|status| match status {
            ExecutionStatus::Registered | ExecutionStatus::Initializing => false,
            ExecutionStatus::Running
            | ExecutionStatus::Finished
            | ExecutionStatus::Failed { .. }
            | ExecutionStatus::Stopping
            | ExecutionStatus::Stopped
            | ExecutionStatus::DidNotStop => true,
        })
        .await;
    }

    /// The error of a task that never got to run.
    pub(crate) fn failed_to_initialize(&self) -> Option<SchedulerError> {
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
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
