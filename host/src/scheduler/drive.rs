//! The drivers: one for each task, from its initialization to its end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hotbay_plugin_api::{EventType, SchedulerError, TaskId};
use tracing::Instrument;

use super::{
    ExecutionStatus, RegisteredTask, SharedBackgroundTask, SharedEventTask,
    command::{Command, Commands},
    core::Core,
    entry::Entry,
    guard::{caught, guarded},
};
use crate::bus::{EventBus, EventReceiver, Payload, SubscriptionId, TryRecvError};

/// How many payloads an event task may handle under one lock.
const GROUP: usize = 32;

/// How long a driver may go on without letting others run.
const STRETCH: Duration = Duration::from_millis(1);

/// What a driver drives.
pub(super) enum Work<E: EventType, P: Payload> {
    Background(SharedBackgroundTask),
    Event(SharedEventTask<E, P>, EventReceiver<E, P>),
}

impl<E: EventType, P: Payload> Work<E, P> {
    /// Asks an event task for its channel and subscribes it.
    pub(super) fn new(
        id: &TaskId,
        task: &RegisteredTask<E, P>,
        bus: &EventBus<E, P>,
    ) -> Result<Self, SchedulerError> {
        match task {
            RegisteredTask::Background(task) => Ok(Self::Background(Arc::clone(task))),
            RegisteredTask::Event(task) => {
                let Ok(locked) = task.try_lock() else {
                    let text = format!("task {id} is in use and cannot be asked for its event");
                    return Err(SchedulerError::InvalidState(text));
                };
                let event = caught(|| locked.subscribed_event().clone())?;
                Ok(Self::Event(Arc::clone(task), bus.subscribe(&event)?))
            }
        }
    }

    pub(super) fn input(&self) -> Option<SubscriptionId> {
        match self {
            Self::Background(_) => None,
            Self::Event(_, input) => Some(input.id()),
        }
    }
}

/// Drives a task to its end and enters how it ended.
pub(super) async fn drive<E: EventType, P: Payload>(
    core: Arc<Core<E, P>>,
    entry: Arc<Entry<E>>,
    work: Work<E, P>,
) {
    let span = tracing::info_span!("task", id = %entry.id());
    let ending = Ending { core: &core, entry: &entry, status: None };
    let mut driver = Driver { entry: &entry, commands: entry.commands(), since: Instant::now() };
    let status = match work {
        Work::Background(task) => driver.turns(task).instrument(span.clone()).await,
        Work::Event(task, input) => {
            driver.events(&core, task, input).instrument(span.clone()).await
        }
    };
    span.in_scope(|| {
        if let ExecutionStatus::Failed { error } = &status {
            tracing::error!(%error, "the task failed");
        } else {
            tracing::debug!(%status, "the task ended");
        }
    });
    ending.with(status);
}

struct Driver<'a, E> {
    entry: &'a Entry<E>,
    commands: Commands,
    since: Instant,
}

/// What comes next for an event task.
enum Next<P> {
    Payload(P),
    EndOfInput,
    Stop,
}

impl<E: EventType> Driver<'_, E> {
    async fn turns(&mut self, task: SharedBackgroundTask) -> ExecutionStatus {
        if self.commands.told() >= Command::Stop {
            return ExecutionStatus::Stopped;
        }
        let Some(mut locked) = self.commands.unless(Command::Abort, task.lock()).await else {
            return ExecutionStatus::Stopped;
        };
        self.entry.begin();
        let begun = guarded(|| locked.initialize());
        if let Err(status) = self.go_on(begun).await {
            return status;
        }
        drop(locked);
        self.entry.run();
        loop {
            self.rest().await;
            if self.commands.told() >= Command::Stop {
                return ExecutionStatus::Stopped;
            }
            let Some(mut locked) = self.commands.unless(Command::Abort, task.lock()).await else {
                return ExecutionStatus::Stopped;
            };
            let turn = guarded(|| locked.execute());
            if let Err(status) = self.go_on(turn).await {
                return status;
            }
            self.entry.count_turn(0);
        }
    }

    async fn events<P: Payload>(
        &mut self,
        core: &Core<E, P>,
        task: SharedEventTask<E, P>,
        mut input: EventReceiver<E, P>,
    ) -> ExecutionStatus {
        if self.commands.told() >= Command::Stop {
            return ExecutionStatus::Stopped;
        }
        let Some(mut locked) = self.commands.unless(Command::Abort, task.lock()).await else {
            return ExecutionStatus::Stopped;
        };
        self.entry.begin();
        let begun = guarded(|| locked.initialize());
        if let Err(status) = self.go_on(begun).await {
            return status;
        }
        drop(locked);
        self.entry.run();
        loop {
            self.rest().await;
            // The task is not locked while nothing comes.
            let first = match self.next(&mut input).await {
                Next::Payload(payload) => payload,
                Next::Stop => return ExecutionStatus::Stopped,
                Next::EndOfInput if core.data_is_cut() => return ExecutionStatus::Stopped,
                Next::EndOfInput => {
                    let mut locked = task.lock().await;
                    let ended = guarded(|| locked.end_of_input());
                    let went_on = self.go_on(ended).await;
                    return went_on.err().unwrap_or(ExecutionStatus::Finished);
                }
            };
            let Some(mut locked) = self.commands.unless(Command::Abort, task.lock()).await else {
                return ExecutionStatus::Stopped;
            };
            let mut left = GROUP;
            let mut next = Some(first);
            while let Some(payload) = next.take() {
                let events = payload.events();
                let handled = guarded(|| locked.handle_event(payload));
                if let Err(status) = self.go_on(handled).await {
                    return status;
                }
                self.entry.count_turn(events);
                left -= 1;
                // One payload at a time: what is not taken stays queued and counted.
                if left > 0 && self.commands.told() < Command::Abort && !self.is_due() {
                    next = input.try_recv().ok();
                }
            }
        }
    }

    async fn next<P: Payload>(&mut self, input: &mut EventReceiver<E, P>) -> Next<P> {
        loop {
            if self.commands.told() == Command::Abort {
                return Next::Stop;
            }
            match input.try_recv() {
                Ok(payload) => return Next::Payload(payload),
                Err(TryRecvError::Ended) => return Next::EndOfInput,
                Err(TryRecvError::Empty) if self.commands.told() >= Command::Stop => {
                    return Next::Stop;
                }
                Err(TryRecvError::Empty) => {}
            }
            match self.commands.unless(Command::Stop, input.recv()).await {
                Some(Some(payload)) => return Next::Payload(payload),
                Some(None) => return Next::EndOfInput,
                // Told to stop: handle what is queued first.
                None => {}
            }
        }
    }

    /// The end that this call of the task leads to, if any.
    async fn go_on(
        &mut self,
        call: impl Future<Output = Result<(), SchedulerError>>,
    ) -> Result<(), ExecutionStatus> {
        match self.commands.unless(Command::Abort, call).await {
            Some(Ok(())) => Ok(()),
            Some(Err(SchedulerError::Finished)) => Err(ExecutionStatus::Finished),
            Some(Err(error)) => Err(ExecutionStatus::Failed { error }),
            None => Err(ExecutionStatus::Stopped),
        }
    }

    /// Lets others run after a long stretch: a task whose calls are always ready
    /// would otherwise have its thread for itself.
    async fn rest(&mut self) {
        if self.is_due() {
            tokio::task::yield_now().await;
            self.since = Instant::now();
        }
    }

    fn is_due(&self) -> bool {
        self.since.elapsed() >= STRETCH
    }
}

/// Enters the end of a task also if its driver is dropped, with its runtime.
struct Ending<'a, E: EventType, P: Payload> {
    core: &'a Core<E, P>,
    entry: &'a Entry<E>,
    status: Option<ExecutionStatus>,
}

impl<E: EventType, P: Payload> Ending<'_, E, P> {
    fn with(mut self, status: ExecutionStatus) {
        self.status = Some(status);
    }
}

impl<E: EventType, P: Payload> Drop for Ending<'_, E, P> {
    fn drop(&mut self) {
        let status = self.status.take().unwrap_or_else(|| match self.entry.told() {
            Command::Run => {
                let text = "the runtime that the task was on is gone".to_owned();
                ExecutionStatus::Failed { error: SchedulerError::TaskExecution(text) }
            }
            Command::Stop | Command::Abort => ExecutionStatus::Stopped,
        });
        self.core.end(self.entry, status);
    }
}
