//! Driving a background task, turn after turn.

use hotbay_plugin_api::{EventType, SchedulerError};

use super::{Driver, End, Stage, Step, Work};
use crate::{
    bus::Payload,
    scheduler::{
        SharedBackgroundTask,
        command::{Command, Ended},
        guard::guarded,
        state::Outcome,
    },
};

impl<E: EventType, P: Payload> Driver<'_, E, P> {
    pub(super) async fn turns(&mut self, task: SharedBackgroundTask, stage: Stage) -> End<E, P> {
        if let Err(outcome) = self.start(&task, stage, |task| task.initialize()).await {
            return End::Over(outcome);
        }
        loop {
            match self.turn(&task).await {
                Ok(()) => {}
                Err(Step::Over(outcome)) => return End::Over(outcome),
                Err(Step::Aside(fault)) => {
                    return End::Aside(Work::Background { task, stage: Stage::Initialized }, fault);
                }
            }
        }
    }

    /// One turn, and what is saved after it on probation.
    async fn turn(&mut self, task: &SharedBackgroundTask) -> Result<(), Step> {
        self.rest().await;
        let orders = self.commands.now();
        if orders.command >= Command::Stop {
            return Err(Step::Over(Outcome::Stopped));
        }
        if orders.is_held() {
            return Err(Step::Aside(None));
        }
        let mut locked = self.lock(task).await?;
        let turn = guarded(|| locked.execute());
        let options = &self.options;
        let done = match self.commands.turn(turn, |hold| options.may_drop(hold)).await {
            Ended::Done(Err(SchedulerError::Finished)) => {
                return Err(Step::Over(Outcome::Finished));
            }
            Ended::Done(done) => done,
            Ended::Aborted => return Err(Step::Over(Outcome::Stopped)),
            Ended::Held => return Err(Step::Aside(None)),
        };
        let done = match done {
            Ok(()) if self.commands.is_on_probation() => {
                let saved = guarded(|| locked.save_state());
                self.checkpoint(saved).await
            }
            done => done.map_err(Outcome::Failed),
        };
        done.map_err(|outcome| self.next_step(outcome))?;
        self.entry.count_turn(0);
        Ok(())
    }
}
