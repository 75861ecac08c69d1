//! Driving an event task, event after event.

use hotbay_plugin_api::{EventTask, EventType};

use super::{Driver, End, Stage, Step, Work};
use crate::{
    bus::{Input, Payload, TryRecvError},
    scheduler::{
        SharedEventTask,
        command::{Command, Orders},
        guard::guarded,
        state::Outcome,
    },
};

/// The number of payloads that an event task may handle under one lock.
const GROUP: usize = 32;

impl<E: EventType, P: Payload> Driver<'_, E, P> {
    pub(super) async fn events(
        &mut self,
        task: SharedEventTask<E, P>,
        mut input: Input<E, P>,
        stage: Stage,
    ) -> End<E, P> {
        if let Err(outcome) = self.start(&task, stage, |task| task.initialize()).await {
            return self.over(outcome, input);
        }
        loop {
            match self.group(&task, &mut input).await {
                Ok(()) => {}
                Err(Step::Over(outcome)) => return self.over(outcome, input),
                Err(Step::Aside(fault)) => {
                    return End::Aside(
                        Work::Event { task, input, stage: Stage::Initialized },
                        fault,
                    );
                }
            }
        }
    }

    /// Ends the task. One that makes room for another build leaves its input to that.
    fn over(&self, outcome: Outcome, input: Input<E, P>) -> End<E, P> {
        if self.entry.is_leaving() {
            self.entry.leave_input(input);
        }
        End::Over(outcome)
    }

    /// Waits for an event and handles what is queued by then under one lock of the task,
    /// which is not locked while nothing comes.
    async fn group(
        &mut self,
        task: &SharedEventTask<E, P>,
        input: &mut Input<E, P>,
    ) -> Result<(), Step> {
        self.rest().await;
        let Some(first) = self.next(input).await? else { return self.end_of_input(task).await };
        let mut locked = self.lock(task).await?;
        let mut left = GROUP;
        let mut next = Some(first);
        while let Some(payload) = next.take() {
            self.handle(&mut *locked, payload, input).await?;
            left -= 1;
            let orders = self.commands.now();
            let goes_on = orders.command < Command::Abort && !orders.is_held();
            // One payload at a time: what is not taken stays queued and counted.
            if left > 0 && goes_on && !self.is_due() {
                keep_on_probation(input, orders);
                next = input.try_recv().ok();
            }
        }
        Ok(())
    }

    /// One payload, and what is saved after it on probation.
    async fn handle(
        &mut self,
        task: &mut dyn EventTask<E, P>,
        payload: P,
        input: &mut Input<E, P>,
    ) -> Result<(), Step> {
        let events = payload.events();
        let handled = guarded(|| task.handle_event(payload));
        let mut handled = self.call(handled).await;
        if handled.is_ok() && input.is_keeping() {
            let saved = guarded(|| task.save_state());
            handled = self.checkpoint(saved).await;
        }
        match handled.map_err(|outcome| self.next_step(outcome)) {
            Ok(()) => {
                input.settle();
                self.entry.count_turn(events);
                Ok(())
            }
            Err(step) => {
                // The build before is to handle it.
                input.give_back();
                Err(step)
            }
        }
    }

    async fn end_of_input(&mut self, task: &SharedEventTask<E, P>) -> Result<(), Step> {
        if self.core.data_is_cut() {
            return Err(Step::Over(Outcome::Stopped));
        }
        let mut locked = self.lock(task).await?;
        let ended = guarded(|| locked.end_of_input());
        let ended = self.call(ended).await;
        // On probation, the build before comes to the end of the data itself.
        Err(match ended {
            Ok(()) => Step::Over(Outcome::Finished),
            Err(outcome) => self.next_step(outcome),
        })
    }

    /// The next payload, or `None` at the end of the channel.
    async fn next(&mut self, input: &mut Input<E, P>) -> Result<Option<P>, Step> {
        loop {
            let orders = self.commands.now();
            if orders.command == Command::Abort {
                return Err(Step::Over(Outcome::Stopped));
            }
            if orders.is_held() {
                return Err(Step::Aside(None));
            }
            keep_on_probation(input, orders);
            match input.try_recv() {
                Ok(payload) => return Ok(Some(payload)),
                Err(TryRecvError::Ended) => return Ok(None),
                Err(TryRecvError::Empty) if orders.command >= Command::Stop => {
                    return Err(Step::Over(Outcome::Stopped));
                }
                Err(TryRecvError::Empty) => {}
            }
            // If it is called instead, and is to stop, it handles what is queued first.
            if let Some(received) = self.commands.unless_called(input.recv()).await {
                return Ok(received);
            }
        }
    }
}

/// On probation, what a build receives may have to come again to the build before.
fn keep_on_probation<E: EventType, P: Payload>(input: &mut Input<E, P>, orders: Orders) {
    match (orders.probation, input.is_keeping()) {
        (true, false) => input.start_keeping(),
        (false, true) => input.stop_keeping(),
        (true, true) | (false, false) => {}
    }
}
