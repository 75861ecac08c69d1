//! What the driver of a task enters about it. Each entry carries the driver's number.

use std::{sync::atomic::Ordering, time::SystemTime};

use hotbay_plugin_api::{EventType, SavedState, SchedulerError};

use super::Entry;
use crate::{
    bus::Payload,
    scheduler::{
        command::{Commands, DriverId},
        state::{Outcome, Refusal, SteppedAside},
        work::Work,
    },
};

impl<E: EventType, P: Payload> Entry<E, P> {
    pub(in crate::scheduler) fn commands(&self, driver: DriverId) -> Commands {
        Commands::new(driver, &self.orders)
    }

    pub(in crate::scheduler) fn is_driven_by(&self, driver: DriverId) -> bool {
        self.inner.lock().state.orders().is_some_and(|orders| orders.driver == driver)
    }

    /// `initialize` is called now; from here on a `shutdown` is due.
    pub(in crate::scheduler) fn begin(&self, driver: DriverId) -> Result<(), Refusal> {
        self.change(|inner| {
            inner.state.begin(driver)?;
            inner.started = Some(SystemTime::now());
            Ok(())
        })
    }

    /// Notes that the task is initialized.
    pub(in crate::scheduler) fn run(&self, driver: DriverId) -> Result<(), Refusal> {
        self.change(|inner| inner.state.run(driver))
    }

    pub(in crate::scheduler) fn count_turn(&self, events: usize) {
        self.turns.fetch_add(1, Ordering::Relaxed);
        self.events.fetch_add(events as u64, Ordering::Relaxed);
    }

    /// Keeps what the task saved after its last turn or event, if it is on probation.
    pub(in crate::scheduler) fn keep_checkpoint(&self, driver: DriverId, state: SavedState) {
        // Nothing that is derived changes. A refusal means that nobody will go back to it.
        if let Err(refusal) = self.inner.lock().state.keep_checkpoint(driver, state) {
            tracing::trace!(task = %self.id, %refusal, "a checkpoint is not kept");
        }
    }

    /// Takes the work back from the driver, or returns it to the driver if the task is to end.
    pub(in crate::scheduler) fn step_aside(
        &self,
        driver: DriverId,
        work: Work<E, P>,
        fault: Option<SchedulerError>,
    ) -> Result<SteppedAside, (Box<Work<E, P>>, Refusal)> {
        let error = fault.clone();
        self.change(|inner| match inner.state.step_aside(driver, work, fault) {
            Ok(stepped) => {
                inner.last_error = error.or(inner.last_error.take());
                Ok(stepped)
            }
            Err((work, refusal)) => Err((Box::new(work), refusal)),
        })
    }

    /// Notes that the driver is gone, and how the task ended.
    pub(in crate::scheduler) fn finish(
        &self,
        driver: DriverId,
        outcome: Outcome,
    ) -> Result<(), Refusal> {
        self.change(|inner| {
            inner.state.finish(driver, outcome.clone())?;
            inner.note_end(&outcome);
            Ok(())
        })
    }
}
