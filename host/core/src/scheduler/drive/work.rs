//! What a driver drives.

use std::sync::Arc;

use hotbay_plugin_api::{EventType, SchedulerError, TaskId};

use crate::{
    bus::{EventBus, EventReceiver, Payload, SubscriptionId},
    scheduler::{RegisteredTask, SharedBackgroundTask, SharedEventTask, guard::caught},
};

/// A task and its place in the queue.
pub(in crate::scheduler) enum Work<E: EventType, P: Payload> {
    Background {
        task: SharedBackgroundTask,
        stage: Stage,
    },
    Event {
        task: SharedEventTask<E, P>,
        input: EventReceiver<E, P>,
        stage: Stage,
        /// Was taken from the queue and not handled.
        again: Option<P>,
    },
}

/// Whether the task has been initialized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scheduler) enum Stage {
    Fresh,
    Initialized,
}

impl<E: EventType, P: Payload> Work<E, P> {
    /// Asks an event task for its channel and subscribes it.
    pub(in crate::scheduler) fn new(
        id: &TaskId,
        task: &RegisteredTask<E, P>,
        bus: &EventBus<E, P>,
    ) -> Result<Self, SchedulerError> {
        let stage = Stage::Fresh;
        match task {
            RegisteredTask::Background(task) => {
                Ok(Self::Background { task: Arc::clone(task), stage })
            }
            RegisteredTask::Event(task) => {
                let input = bus.subscribe(&channel(id, task)?)?;
                Ok(Self::Event { task: Arc::clone(task), input, stage, again: None })
            }
        }
    }

    /// The same place with another task in it, which has been initialized. It keeps the
    /// queue, unless it listens to another channel.
    pub(in crate::scheduler) fn with_task(
        self,
        id: &TaskId,
        task: &RegisteredTask<E, P>,
        bus: &EventBus<E, P>,
    ) -> Result<Self, (Self, SchedulerError)> {
        let stage = Stage::Initialized;
        match (self, task) {
            (Self::Background { .. }, RegisteredTask::Background(task)) => {
                Ok(Self::Background { task: Arc::clone(task), stage })
            }
            (Self::Event { task: old, input, stage: was, again }, RegisteredTask::Event(task)) => {
                let moved = channel(id, task).and_then(|channel| {
                    if channel == *input.event() {
                        Ok(None)
                    } else {
                        bus.subscribe(&channel).map(Some)
                    }
                });
                match moved {
                    Ok(None) => Ok(Self::Event { task: Arc::clone(task), input, stage, again }),
                    Ok(Some(input)) => {
                        Ok(Self::Event { task: Arc::clone(task), input, stage, again: None })
                    }
                    Err(error) => Err((Self::Event { task: old, input, stage: was, again }, error)),
                }
            }
            (work, _) => {
                let text = format!("task {id} is driven in another way than the one before it");
                Err((work, SchedulerError::InvalidState(text)))
            }
        }
    }

    pub(in crate::scheduler) fn input(&self) -> Option<SubscriptionId> {
        match self {
            Self::Background { .. } => None,
            Self::Event { input, .. } => Some(input.id()),
        }
    }
}

fn channel<E: EventType, P: Payload>(
    id: &TaskId,
    task: &SharedEventTask<E, P>,
) -> Result<E, SchedulerError> {
    let Ok(locked) = task.try_lock() else {
        let text = format!("task {id} is in use and cannot be asked for its event");
        return Err(SchedulerError::InvalidState(text));
    };
    caught(|| locked.subscribed_event().clone())
}
