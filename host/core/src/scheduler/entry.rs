//! A task of a scheduler, with its state behind a lock and those who wait for changes of it.

mod driving;
mod managing;

use std::{
    fmt,
    future::pending,
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

use hotbay_plugin_api::{EventType, SchedulerError, TaskId};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    DriverKind, ExecutionStatus, TaskInfo, TaskOptions,
    command::{DriverId, Orders},
    state::{Outcome, State},
    work::Work,
};
use crate::bus::{Input, Payload, SubscriptionId};

/// One task of a scheduler, whatever build of it runs.
pub struct Entry<E: EventType, P: Payload> {
    id: TaskId,
    kind: DriverKind,
    inner: Mutex<Inner<E, P>>,
    /// Derived from the state, under its lock, after each transition.
    status: watch::Sender<ExecutionStatus>,
    /// Derived in the same way, for the driver.
    orders: watch::Sender<Option<Orders>>,
    turns: AtomicU64,
    events: AtomicU64,
}

struct Inner<E: EventType, P: Payload> {
    state: State<Work<E, P>>,
    /// The number of drivers that were started.
    drivers: u64,
    options: TaskOptions<E>,
    /// The subscription of an event task.
    input: Option<SubscriptionId>,
    /// The input of a build that left, for the next one. Events are queued in it meanwhile.
    left_input: Option<Input<E, P>>,
    /// The channels that count this task among their producers.
    produces: Vec<E>,
    last_error: Option<SchedulerError>,
    started: Option<SystemTime>,
    ended: Option<SystemTime>,
}

impl<E: EventType, P: Payload> Entry<E, P> {
    pub(super) fn new(
        id: TaskId,
        kind: DriverKind,
        options: TaskOptions<E>,
        state: State<Work<E, P>>,
        input: Option<SubscriptionId>,
    ) -> Self {
        let status = watch::Sender::new(state.status());
        let inner = Inner {
            state,
            drivers: 0,
            options,
            input,
            left_input: None,
            produces: Vec::new(),
            last_error: None,
            started: None,
            ended: None,
        };
        Self {
            id,
            kind,
            inner: Mutex::new(inner),
            status,
            orders: watch::Sender::new(None),
            turns: AtomicU64::new(0),
            events: AtomicU64::new(0),
        }
    }

    /// Returns the task's id, which is its name in the scheduler.
    pub fn id(&self) -> &TaskId {
        &self.id
    }

    /// Returns how the task is driven.
    pub fn kind(&self) -> DriverKind {
        self.kind
    }

    /// Returns what the task does now, or how it ended.
    pub fn status(&self) -> ExecutionStatus {
        self.status.borrow().clone()
    }

    /// Returns `true` if the task's initialization is over, well or not.
    pub fn is_initialized(&self) -> bool {
        self.status.borrow().is_past_initialization()
    }

    pub(super) fn options(&self) -> TaskOptions<E> {
        self.inner.lock().options.clone()
    }

    pub(super) fn input(&self) -> Option<SubscriptionId> {
        self.inner.lock().input
    }

    pub(super) fn watch(&self) -> watch::Receiver<ExecutionStatus> {
        self.status.subscribe()
    }

    pub(super) fn info(&self) -> TaskInfo {
        let inner = self.inner.lock();
        TaskInfo {
            id: self.id.clone(),
            kind: self.kind,
            status: inner.state.status(),
            turns: self.turns.load(Ordering::Relaxed),
            events: self.events.load(Ordering::Relaxed),
            last_error: inner.last_error.clone(),
            started: inner.started,
            ended: inner.ended,
        }
    }

    pub(super) fn fault(&self) -> Option<SchedulerError> {
        self.inner.lock().state.fault().cloned()
    }

    pub(crate) fn failed_to_initialize(&self) -> Option<SchedulerError> {
        self.inner.lock().state.failed_to_initialize().cloned()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.status.borrow().has_ended()
    }

    /// Returns `true` if the driver has ended. The driver of a task that was given up may still run.
    pub(super) fn is_over(&self) -> bool {
        self.status.borrow().is_over()
    }

    /// Waits until the task's initialization is over, well or not.
    pub(super) async fn initialized(&self) {
        self.reaches(ExecutionStatus::is_past_initialization).await;
    }

    /// Waits until the task's status is one of these.
    pub(super) async fn reaches(&self, condition: impl FnMut(&ExecutionStatus) -> bool) {
        if self.watch().wait_for(condition).await.is_err() {
            // The sender is in `self`.
            pending::<()>().await;
        }
    }

    /// One change of the state, and of what is derived from it, under one lock.
    fn change<T>(&self, transition: impl FnOnce(&mut Inner<E, P>) -> T) -> T {
        let mut inner = self.inner.lock();
        let result = transition(&mut inner);
        let (status, orders) = (inner.state.status(), inner.state.orders());
        // Still under the lock, so that nobody sees an older state after a newer one.
        self.status.send_if_modified(|known| replace_if_other(known, status));
        self.orders.send_if_modified(|known| replace_if_other(known, orders));
        result
    }
}

impl<E: EventType, P: Payload> fmt::Debug for Entry<E, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("id", &self.id).field("status", &self.status()).finish()
    }
}

impl<E: EventType, P: Payload> Inner<E, P> {
    fn note_end(&mut self, outcome: &Outcome) {
        self.ended = Some(SystemTime::now());
        if let Outcome::Failed(error) = outcome {
            self.last_error = Some(error.clone());
        }
    }

    fn next_driver(&mut self) -> DriverId {
        self.drivers += 1;
        DriverId(self.drivers)
    }
}

fn replace_if_other<T: PartialEq>(known: &mut T, new: T) -> bool {
    let other = *known != new;
    if other {
        *known = new;
    }
    other
}
