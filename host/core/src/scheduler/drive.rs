//! The drivers of tasks, of which each task has one at a time, from its initialization to its end.
//!
//! A driver may be told to step aside. Then it comes to the next boundary between two
//! events or turns, gives its work back with its place in the queue, and is gone; the next
//! driver, perhaps on another runtime and with another build of the task, goes on there.

mod background;
mod event;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hotbay_plugin_api::{EventType, SavedState, SchedulerError};
use tokio::sync::{Mutex, MutexGuard};
use tracing::Instrument;

use super::{
    TaskOptions,
    command::{Command, Commands, DriverId},
    core::Core,
    entry::Entry,
    guard::{TaskFuture, guarded},
    state::{Outcome, Start},
    work::{Stage, Work},
};
use crate::bus::Payload;

/// The time for which a driver may run without letting others run.
const STRETCH: Duration = Duration::from_millis(1);

/// How a driver ended.
enum End<E: EventType, P: Payload> {
    Over(Outcome),
    /// The driver stepped aside; with an error if it did so because the task failed on probation.
    Aside(Work<E, P>, Option<SchedulerError>),
}

/// How a driver leaves its loop.
enum Step {
    Over(Outcome),
    Aside(Option<SchedulerError>),
}

/// Drives a task to its end, or until it is to step aside, and enters which it was.
///
/// The end is also entered if the future is dropped before it is polled, because its runtime
/// is gone. The work is dropped first then, so that nobody waits for its input.
pub(super) fn drive<E: EventType, P: Payload>(
    core: Arc<Core<E, P>>,
    entry: Arc<Entry<E, P>>,
    Start { driver, work }: Start<Work<E, P>>,
) -> impl Future<Output = ()> + Send {
    let job = (work, Ending { core, entry, driver, end: None });
    async move {
        let (work, ending) = job;
        let end = drive_to_end(&ending, work).await;
        ending.with(end);
    }
}

async fn drive_to_end<E: EventType, P: Payload>(
    Ending { core, entry, driver: id, .. }: &Ending<E, P>,
    work: Work<E, P>,
) -> End<E, P> {
    let (id, span) = (*id, tracing::error_span!("task", id = %entry.id()));
    let commands = entry.commands(id);
    let options = entry.options();
    let since = Instant::now();
    let mut driver = Driver { core, entry, id, options, commands, since };
    let end = match work {
        Work::Background { task, stage } => {
            driver.turns(task, stage).instrument(span.clone()).await
        }
        Work::Event { task, input, stage } => {
            driver.events(task, input, stage).instrument(span.clone()).await
        }
    };
    span.in_scope(|| match &end {
        End::Over(Outcome::Failed(error)) => tracing::error!(%error, "the task failed"),
        End::Over(outcome) => tracing::debug!(?outcome, "the task ended"),
        End::Aside(_, Some(error)) => tracing::error!(%error, "the task failed on probation"),
        End::Aside(_, None) => tracing::debug!("the task is held"),
    });
    end
}

struct Driver<'a, E: EventType, P: Payload> {
    core: &'a Core<E, P>,
    entry: &'a Entry<E, P>,
    id: DriverId,
    options: TaskOptions<E>,
    commands: Commands,
    since: Instant,
}

impl<E: EventType, P: Payload> Driver<'_, E, P> {
    /// Brings the task to where it can have turns or events.
    async fn start<T: ?Sized + Send>(
        &mut self,
        task: &Mutex<T>,
        stage: Stage,
        initialize: for<'t> fn(&'t mut T) -> TaskFuture<'t, ()>,
    ) -> Result<(), Outcome> {
        if self.commands.told() >= Command::Stop {
            return Err(Outcome::Stopped);
        }
        let Some(mut locked) = self.commands.unless_aborted(task.lock()).await else {
            return Err(Outcome::Stopped);
        };
        if stage == Stage::Fresh {
            self.entry.begin(self.id).map_err(|_| Outcome::Stopped)?;
            let begun = guarded(|| initialize(&mut locked));
            self.call(begun).await?;
        }
        self.entry.run(self.id).map_err(|_| Outcome::Stopped)
    }

    async fn lock<'t, T: ?Sized>(&mut self, task: &'t Mutex<T>) -> Result<MutexGuard<'t, T>, Step> {
        let locked = self.commands.unless_aborted(task.lock()).await;
        locked.ok_or(Step::Over(Outcome::Stopped))
    }

    /// A call of the task, or the end that it leads to.
    async fn call(
        &mut self,
        call: impl Future<Output = Result<(), SchedulerError>>,
    ) -> Result<(), Outcome> {
        match self.commands.unless_aborted(call).await {
            Some(Ok(())) => Ok(()),
            Some(Err(SchedulerError::Finished)) => Err(Outcome::Finished),
            Some(Err(error)) => Err(Outcome::Failed(error)),
            None => Err(Outcome::Stopped),
        }
    }

    /// Keeps what the task has come to, for the build before it.
    ///
    /// A build that can't save its state has failed: the one before could not go on there.
    async fn checkpoint(
        &mut self,
        saved: impl Future<Output = Result<Option<SavedState>, SchedulerError>>,
    ) -> Result<(), Outcome> {
        match self.commands.unless_aborted(saved).await {
            Some(Ok(state)) => {
                if let Some(state) = state {
                    self.entry.keep_checkpoint(self.id, state);
                }
                self.options.settle_inputs();
                Ok(())
            }
            Some(Err(error)) => {
                Err(Outcome::Failed(SchedulerError::State(format!("save_state: {error}"))))
            }
            None => Err(Outcome::Stopped),
        }
    }

    /// A failure on probation holds the task; asked after the call, for the probation may
    /// have ended during it.
    fn next_step(&self, outcome: Outcome) -> Step {
        match outcome {
            Outcome::Failed(error) if self.commands.is_on_probation() => Step::Aside(Some(error)),
            Outcome::Failed(_) | Outcome::Finished | Outcome::Stopped => Step::Over(outcome),
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
struct Ending<E: EventType, P: Payload> {
    core: Arc<Core<E, P>>,
    entry: Arc<Entry<E, P>>,
    driver: DriverId,
    end: Option<End<E, P>>,
}

impl<E: EventType, P: Payload> Ending<E, P> {
    fn with(mut self, end: End<E, P>) {
        self.end = Some(end);
    }
}

impl<E: EventType, P: Payload> Drop for Ending<E, P> {
    fn drop(&mut self) {
        let end = self.end.take().unwrap_or_else(|| {
            End::Over(match self.entry.commands(self.driver).told() {
                Command::Run => {
                    let text = "the runtime that the task was on is gone".to_owned();
                    Outcome::Failed(SchedulerError::TaskExecution(text))
                }
                Command::Stop | Command::Abort => Outcome::Stopped,
            })
        });
        match end {
            End::Over(outcome) => self.core.end(&self.entry, self.driver, outcome),
            End::Aside(work, fault) => {
                self.core.step_aside(&self.entry, self.driver, work, fault);
            }
        }
    }
}
