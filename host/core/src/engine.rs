//! A trading engine, which runs Connector(N) → Aggregator(1) → Strategy(N) → Executor(N) on one
//! bus.
//!
//! The components are tasks of a [`Scheduler`]; what the engine adds is their order.
//! It starts consumers before producers, so that nothing is published before its
//! consumers are initialized. It stops producers first and lets what they published flow
//! to its end; then it calls the `shutdown` hooks against the direction of the data.

mod builder;
mod component_options;

use std::time::Duration;

use hotbay_plugin_api::{EventType, Role, SchedulerError, TaskId, TradingEngineError};
use parking_lot::Mutex;
use tokio::time::timeout;

use crate::{
    bus::{EventBus, Payload},
    scheduler::{
        DriverKind, Entries, ExecutionStatus, RegisteredTask, Scheduler, ShutdownLimits,
        ShutdownReport, TaskOptions, shut_down,
    },
};

pub use builder::TradingEngineBuilder;
pub use component_options::ComponentOptions;

/// One pipeline, from its connectors to its executors.
///
/// A component that fails or panics takes no other one down; its status says why.
/// Dropped without a [`shutdown`](Self::shutdown), it ends its components at their next
/// await points and calls no hooks.
#[derive(Debug)]
pub struct TradingEngine<E: EventType, P: Payload = String> {
    scheduler: Scheduler<E, P>,
    /// The components by role, in the direction of the data.
    roles: Mutex<[Vec<TaskId>; 4]>,
    limits: ShutdownLimits,
    last_shutdown: Mutex<Option<ShutdownReport>>,
}

impl<E: EventType, P: Payload> TradingEngine<E, P> {
    fn new(scheduler: Scheduler<E, P>, roles: [Vec<TaskId>; 4], limits: ShutdownLimits) -> Self {
        Self { scheduler, roles: Mutex::new(roles), limits, last_shutdown: Mutex::new(None) }
    }

    /// Starts executors, strategies, the aggregator and the connectors in this order, each
    /// role when the one before is initialized.
    ///
    /// # Errors
    /// If a component's initialization fails, those that were started are shut down and its
    /// error returned, with the component's name. [`SchedulerError::InvalidState`] if the
    /// engine was started before.
    pub async fn start(&self) -> Result<(), TradingEngineError> {
        let core = self.scheduler.core();
        core.open()?;
        for stage in self.stages()?.iter().rev() {
            core.start_stage(stage).await?;
            for entry in stage {
                // A component that ran and failed is its own affair, one that never ran is not.
                if let Some(error) = entry.failed_to_initialize() {
                    let error = start_error(entry.id(), error);
                    tracing::error!(component = %entry.id(), %error, "start failed; stopping");
                    if let Err(error) = self.shutdown().await {
                        tracing::error!(%error, "what was started did not stop in good order");
                    }
                    return Err(error.into());
                }
            }
        }
        core.start_later_ones()?;
        Ok(())
    }

    /// Like [`start`](Self::start), but a component that does not initialize takes no other
    /// one down; after `limit` the others go on without it.
    ///
    /// # Errors
    /// [`SchedulerError::InvalidState`] if the engine was started before.
    pub async fn start_those_that_can(&self, limit: Duration) -> Result<(), TradingEngineError> {
        let core = self.scheduler.core();
        core.open()?;
        for stage in self.stages()?.iter().rev() {
            if let Ok(started) = timeout(limit, core.start_stage(stage)).await {
                started?;
                continue;
            }
            for entry in stage.iter().filter(|it| !it.is_initialized()) {
                tracing::error!(component = %entry.id(), ?limit, "it still initializes");
            }
        }
        core.start_later_ones()?;
        Ok(())
    }

    /// Waits until every component has ended by itself: the sources are exhausted and
    /// everything has flowed through, as far as the components' outputs are declared.
    pub async fn wait(&self) {
        self.scheduler.wait_all().await;
    }

    /// Stops the engine in two phases, within its [limits](TradingEngineBuilder::with_limits).
    ///
    /// First the data ends, in its own direction: connectors stop after their turn, what is
    /// queued is handled, and the aggregator, the strategies and the executors stop.
    /// Then everyone's `shutdown` hook is called, against that direction: executors,
    /// strategies, aggregator, connectors. Hooks run after a natural end, too, and once only.
    ///
    /// # Errors
    /// [`TradingEngineError::DidNotStop`] names the components that still run;
    /// [`SchedulerError::TaskShutdown`] tells the first hook that failed. In both cases
    /// everything else has stopped.
    pub async fn shutdown(&self) -> Result<(), TradingEngineError> {
        self.shutdown_within(self.limits).await
    }

    /// Like [`shutdown`](Self::shutdown), within other limits.
    ///
    /// # Errors
    /// The same as those of [`shutdown`](Self::shutdown).
    pub async fn shutdown_within(&self, limits: ShutdownLimits) -> Result<(), TradingEngineError> {
        let report = shut_down(self.scheduler.core(), &self.stages()?, limits).await;
        let did_not_stop: Vec<_> = report.did_not_stop.iter().map(ToString::to_string).collect();
        let failed_hook = report.failed_hook();
        *self.last_shutdown.lock() = Some(report);
        if !did_not_stop.is_empty() {
            return Err(TradingEngineError::DidNotStop(did_not_stop));
        }
        failed_hook.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Returns the components' statuses in the direction of the data.
    pub fn statuses(&self) -> Vec<(TaskId, ExecutionStatus)> {
        let ids = self.ids().into_iter().flatten();
        ids.filter_map(|id| Some((id.clone(), self.scheduler.status(&id).ok()?))).collect()
    }

    /// Returns how the last shutdown went in detail, if there was one.
    pub fn last_shutdown(&self) -> Option<ShutdownReport> {
        self.last_shutdown.lock().clone()
    }

    /// Returns the scheduler below. Tasks that are registered there start and stop with the engine:
    /// background tasks with the connectors, event tasks with the executors.
    pub fn scheduler(&self) -> &Scheduler<E, P> {
        &self.scheduler
    }

    /// Returns the bus on which the components meet.
    pub fn bus(&self) -> &EventBus<E, P> {
        self.scheduler.bus()
    }

    /// Adds a component to an engine that runs; it starts at once.
    ///
    /// # Errors
    /// As [`Scheduler::register_event_task_with`].
    pub fn add(
        &self,
        role: Role,
        id: TaskId,
        task: RegisteredTask<E, P>,
        options: TaskOptions<E>,
    ) -> Result<(), SchedulerError> {
        self.scheduler.core().register(id.clone(), task, options)?;
        let mut roles = self.roles.lock();
        let stage = match role {
            Role::Connector => 0,
            Role::Aggregator => 1,
            Role::Strategy => 2,
            Role::Executor => 3,
        };
        roles[stage].push(id);
        Ok(())
    }

    /// Forgets a component that was taken out.
    pub fn remove(&self, id: &TaskId) {
        let mut roles = self.roles.lock();
        roles.iter_mut().for_each(|ids| ids.retain(|known| known != id));
        drop(roles);
        drop(self.scheduler.core().forget(id));
    }

    fn ids(&self) -> [Vec<TaskId>; 4] {
        self.roles.lock().clone()
    }

    /// All tasks by role, in the direction of the data.
    fn stages(&self) -> Result<[Entries<E, P>; 4], SchedulerError> {
        let core = self.scheduler.core();
        let mut stages = [const { Vec::new() }; 4];
        let roles = self.ids();
        for (stage, ids) in stages.iter_mut().zip(&roles) {
            for id in ids {
                stage.push(core.entry(id)?);
            }
        }
        let known = |id: &TaskId| roles.iter().flatten().any(|one| one == id);
        for entry in core.entries().into_iter().filter(|entry| !known(entry.id())) {
            let place = match entry.kind() {
                DriverKind::Background => 0,
                DriverKind::Event => stages.len() - 1,
            };
            stages[place].push(entry);
        }
        Ok(stages)
    }
}

/// Returns the error of an engine that could not start, with the component's name.
fn start_error(id: &TaskId, error: SchedulerError) -> SchedulerError {
    let named = |text: &str| format!("{id}: {text}");
    if let SchedulerError::TaskPanicked(text) = &error {
        SchedulerError::TaskPanicked(named(text))
    } else if let SchedulerError::Configuration(text) = &error {
        SchedulerError::Configuration(named(text))
    } else if let SchedulerError::TaskInitialization(text) = &error {
        SchedulerError::TaskInitialization(named(text))
    } else {
        SchedulerError::TaskInitialization(named(&error.to_string()))
    }
}
