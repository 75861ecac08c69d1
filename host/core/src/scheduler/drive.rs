//! The drivers: one for each task, from its initialization to its end.
//!
//! A driver may be told to step aside. Then it comes to the next boundary between two
//! events or turns, gives its work back with its place in the queue, and is gone; the next
//! driver, perhaps on another runtime and with another build of the task, goes on there.

mod work;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hotbay_plugin_api::{EventType, SavedState, SchedulerError};
use tracing::Instrument;

use super::{
    ExecutionStatus, SharedBackgroundTask, SharedEventTask, TaskOptions,
    command::{Command, Commands, Ended},
    core::Core,
    entry::Entry,
    guard::guarded,
};
use crate::bus::{EventReceiver, Payload, TryRecvError};

pub(super) use work::{Stage, Work};

/// How many payloads an event task may handle under one lock.
const GROUP: usize = 32;

/// How long a driver may go on without letting others run.
const STRETCH: Duration = Duration::from_millis(1);

/// How a driver came to its end.
pub(super) enum End<E: EventType, P: Payload> {
    Over(ExecutionStatus),
    /// It stepped aside; with an error if it did so because the task failed on probation.
    Held(Work<E, P>, Option<SchedulerError>),
}

impl<E: EventType, P: Payload> From<ExecutionStatus> for End<E, P> {
    fn from(status: ExecutionStatus) -> Self {
        Self::Over(status)
    }
}

/// Drives a task to its end, or until it is to step aside, and enters which it was.
pub(super) async fn drive<E: EventType, P: Payload>(
    core: Arc<Core<E, P>>,
    entry: Arc<Entry<E>>,
    work: Work<E, P>,
) {
    let span = tracing::info_span!("task", id = %entry.id());
    let ending = Ending { core: &core, entry: &entry, end: None };
    let mut driver = Driver {
        entry: &entry,
        options: entry.options(),
        commands: entry.commands(),
        since: Instant::now(),
    };
    let end = match work {
        Work::Background { task, stage } => {
            driver.turns(task, stage).instrument(span.clone()).await
        }
        Work::Event { task, input, stage, again } => {
            driver.events(&core, task, input, stage, again).instrument(span.clone()).await
        }
    };
    span.in_scope(|| match &end {
        End::Over(ExecutionStatus::Failed { error }) => tracing::error!(%error, "the task failed"),
        End::Over(status) => tracing::debug!(%status, "the task ended"),
        End::Held(_, Some(error)) => tracing::error!(%error, "the task failed on probation"),
        End::Held(_, None) => tracing::debug!("the task is held"),
    });
    ending.with(end);
}

struct Driver<'a, E> {
    entry: &'a Entry<E>,
    options: TaskOptions<E>,
    commands: Commands,
    since: Instant,
}

/// What comes next for an event task.
enum Next<P> {
    Payload(P),
    EndOfInput,
    Stop,
    Hold,
}

impl<E: EventType> Driver<'_, E> {
    async fn turns<P: Payload>(&mut self, task: SharedBackgroundTask, stage: Stage) -> End<E, P> {
        if self.commands.told() >= Command::Stop {
            return ExecutionStatus::Stopped.into();
        }
        let Some(mut locked) = self.commands.unless(Command::Abort, task.lock()).await else {
            return ExecutionStatus::Stopped.into();
        };
        if stage == Stage::Fresh {
            self.entry.begin();
            let begun = guarded(|| locked.initialize());
            if let Err(status) = self.go_on(begun).await {
                return status.into();
            }
        }
        drop(locked);
        self.entry.run();
        let step_aside =
            |task, fault| End::Held(Work::Background { task, stage: Stage::Initialized }, fault);
        loop {
            self.rest().await;
            if self.commands.told() >= Command::Stop {
                return ExecutionStatus::Stopped.into();
            }
            if self.commands.is_held() {
                return step_aside(task, None);
            }
            let Some(mut locked) = self.commands.unless(Command::Abort, task.lock()).await else {
                return ExecutionStatus::Stopped.into();
            };
            let turn = guarded(|| locked.execute());
            let options = &self.options;
            let fault = match self.commands.turn(turn, |hold| options.may_drop(hold)).await {
                Ended::Done(Ok(())) => None,
                Ended::Done(Err(SchedulerError::Finished)) => {
                    return ExecutionStatus::Finished.into();
                }
                Ended::Done(Err(error)) => Some(error),
                Ended::Aborted => return ExecutionStatus::Stopped.into(),
                Ended::Held => {
                    drop(locked);
                    return step_aside(task, None);
                }
            };
            let fault = match fault {
                None if self.entry.is_on_probation() => {
                    let saved = guarded(|| locked.save_state());
                    match self.keep(saved).await {
                        Ok(()) => None,
                        Err(ExecutionStatus::Failed { error }) => Some(error),
                        Err(status) => return status.into(),
                    }
                }
                fault => fault,
            };
            match fault {
                None => self.entry.count_turn(0),
                Some(error) if self.entry.is_on_probation() => {
                    drop(locked);
                    return step_aside(task, Some(error));
                }
                Some(error) => return ExecutionStatus::Failed { error }.into(),
            }
        }
    }

    async fn events<P: Payload>(
        &mut self,
        core: &Core<E, P>,
        task: SharedEventTask<E, P>,
        mut input: EventReceiver<E, P>,
        stage: Stage,
        again: Option<P>,
    ) -> End<E, P> {
        if self.commands.told() >= Command::Stop {
            return ExecutionStatus::Stopped.into();
        }
        let Some(mut locked) = self.commands.unless(Command::Abort, task.lock()).await else {
            return ExecutionStatus::Stopped.into();
        };
        if stage == Stage::Fresh {
            self.entry.begin();
            let begun = guarded(|| locked.initialize());
            if let Err(status) = self.go_on(begun).await {
                return status.into();
            }
        }
        drop(locked);
        self.entry.run();
        let step_aside = |task, input, again, fault| {
            End::Held(Work::Event { task, input, stage: Stage::Initialized, again }, fault)
        };
        let mut again = again;
        loop {
            self.rest().await;
            // The task is not locked while nothing comes.
            let first = match again.take() {
                Some(payload) => payload,
                None => match self.next(&mut input).await {
                    Next::Payload(payload) => payload,
                    Next::Hold => return step_aside(task, input, None, None),
                    Next::Stop => return ExecutionStatus::Stopped.into(),
                    Next::EndOfInput if core.data_is_cut() => {
                        return ExecutionStatus::Stopped.into();
                    }
                    Next::EndOfInput => {
                        let mut locked = task.lock().await;
                        let ended = guarded(|| locked.end_of_input());
                        match self.go_on(ended).await {
                            Err(ExecutionStatus::Failed { error })
                                if self.entry.is_on_probation() =>
                            {
                                drop(locked);
                                // The build before comes to the end of the data itself.
                                return step_aside(task, input, None, Some(error));
                            }
                            Err(status) => return status.into(),
                            Ok(()) => return ExecutionStatus::Finished.into(),
                        }
                    }
                },
            };
            let Some(mut locked) = self.commands.unless(Command::Abort, task.lock()).await else {
                return ExecutionStatus::Stopped.into();
            };
            let mut left = GROUP;
            let mut next = Some(first);
            while let Some(payload) = next.take() {
                let events = payload.events();
                let copy = self.entry.is_on_probation().then(|| payload.clone());
                let handled = guarded(|| locked.handle_event(payload));
                let mut handled = self.go_on(handled).await;
                if handled.is_ok() && copy.is_some() {
                    let saved = guarded(|| locked.save_state());
                    handled = self.keep(saved).await;
                }
                match handled {
                    Ok(()) => self.entry.count_turn(events),
                    // It may have been over while the event was handled.
                    Err(ExecutionStatus::Failed { error })
                        if copy.is_some() && self.entry.is_on_probation() =>
                    {
                        drop(locked);
                        return step_aside(task, input, copy, Some(error));
                    }
                    Err(status) => return status.into(),
                }
                left -= 1;
                let goes_on = self.commands.told() < Command::Abort && !self.commands.is_held();
                // One payload at a time: what is not taken stays queued and counted.
                if left > 0 && goes_on && !self.is_due() {
                    next = input.try_recv().ok();
                }
            }
        }
    }

    /// Keeps what the task has come to, for the build before it.
    ///
    /// A build that can't save its state has failed: the one before could not go on there.
    async fn keep(
        &mut self,
        saved: impl Future<Output = Result<Option<SavedState>, SchedulerError>>,
    ) -> Result<(), ExecutionStatus> {
        match self.commands.unless(Command::Abort, saved).await {
            Some(Ok(state)) => {
                if let Some(state) = state {
                    self.entry.set_checkpoint(state);
                }
                self.options.turned();
                Ok(())
            }
            Some(Err(error)) => {
                let error = SchedulerError::State(format!("save_state: {error}"));
                Err(ExecutionStatus::Failed { error })
            }
            None => Err(ExecutionStatus::Stopped),
        }
    }

    async fn next<P: Payload>(&mut self, input: &mut EventReceiver<E, P>) -> Next<P> {
        loop {
            if self.commands.told() == Command::Abort {
                return Next::Stop;
            }
            if self.commands.is_held() {
                return Next::Hold;
            }
            match input.try_recv() {
                Ok(payload) => return Next::Payload(payload),
                Err(TryRecvError::Ended) => return Next::EndOfInput,
                Err(TryRecvError::Empty) if self.commands.told() >= Command::Stop => {
                    return Next::Stop;
                }
                Err(TryRecvError::Empty) => {}
            }
            match self.commands.unless_called(input.recv()).await {
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
    core: &'a Arc<Core<E, P>>,
    entry: &'a Arc<Entry<E>>,
    end: Option<End<E, P>>,
}

impl<E: EventType, P: Payload> Ending<'_, E, P> {
    fn with(mut self, end: End<E, P>) {
        self.end = Some(end);
    }
}

impl<E: EventType, P: Payload> Drop for Ending<'_, E, P> {
    fn drop(&mut self) {
        let end = self.end.take().unwrap_or_else(|| match self.entry.told() {
            Command::Run => {
                let text = "the runtime that the task was on is gone".to_owned();
                ExecutionStatus::Failed { error: SchedulerError::TaskExecution(text) }.into()
            }
            Command::Stop | Command::Abort => ExecutionStatus::Stopped.into(),
        });
        match end {
            End::Over(status) => self.core.end(self.entry, status),
            End::Held(work, fault) => self.core.put_back(self.entry, work, fault),
        }
    }
}
