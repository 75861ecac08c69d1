//! The work that a driver does, which is a task with its place in the queue.

use std::{mem::replace, sync::Arc};

use hotbay_plugin_api::{EventType, SchedulerError, TaskId};

use crate::{
    bus::{EventBus, Input, Payload, SubscriptionId},
    scheduler::{DriverKind, RegisteredTask, SharedBackgroundTask, SharedEventTask, guard::caught},
};

/// A task and its place in the queue.
pub(super) enum Work<E: EventType, P: Payload> {
    Background { task: SharedBackgroundTask, stage: Stage },
    Event { task: SharedEventTask<E, P>, input: Input<E, P>, stage: Stage },
}

/// Tells if the task has been initialized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Fresh,
    Initialized,
}

/// Another build of a task, ready to be put into its place.
pub(super) enum Successor<E: EventType, P: Payload> {
    Background(SharedBackgroundTask),
    Event {
        task: SharedEventTask<E, P>,
        /// Its input, if it listens to another channel than the build before.
        moved: Option<Input<E, P>>,
    },
}

impl<E: EventType, P: Payload> Work<E, P> {
    /// Asks an event task for its channel and subscribes it, unless `left` gives an input of that
    /// channel, which the build before it has left.
    pub(super) fn new(
        id: &TaskId,
        task: &RegisteredTask<E, P>,
        bus: &EventBus<E, P>,
        left: impl FnOnce() -> Option<Input<E, P>>,
    ) -> Result<Self, SchedulerError> {
        let stage = Stage::Fresh;
        match task {
            RegisteredTask::Background(task) => {
                Ok(Self::Background { task: Arc::clone(task), stage })
            }
            RegisteredTask::Event(task) => {
                let channel = channel(id, task)?;
                let input = match left().filter(|left| *left.event() == channel) {
                    Some(left) => left,
                    None => Input::new(bus.subscribe(&channel)?),
                };
                Ok(Self::Event { task: Arc::clone(task), input, stage })
            }
        }
    }

    /// Puts another build into this place, and gives what was there.
    ///
    /// The kinds are the same: [`Successor::new`] has compared them.
    pub(super) fn install(&mut self, new: Successor<E, P>) -> Successor<E, P> {
        match (self, new) {
            (Self::Background { task, stage }, Successor::Background(new)) => {
                *stage = Stage::Initialized;
                Successor::Background(replace(task, new))
            }
            (Self::Event { task, input, stage }, Successor::Event { task: new, moved }) => {
                *stage = Stage::Initialized;
                let moved = moved.map(|moved| replace(input, moved));
                Successor::Event { task: replace(task, new), moved }
            }
            (Self::Background { .. } | Self::Event { .. }, other) => other,
        }
    }

    /// Returns the input of an event task.
    pub(super) fn into_input(self) -> Option<Input<E, P>> {
        match self {
            Self::Background { .. } => None,
            Self::Event { input, .. } => Some(input),
        }
    }

    /// The subscription of an event task.
    pub(super) fn input(&self) -> Option<SubscriptionId> {
        match self {
            Self::Background { .. } => None,
            Self::Event { input, .. } => Some(input.id()),
        }
    }

    /// The channel of an event task.
    pub(super) fn channel(&self) -> Option<&E> {
        match self {
            Self::Background { .. } => None,
            Self::Event { input, .. } => Some(input.event()),
        }
    }
}

impl<E: EventType, P: Payload> Successor<E, P> {
    /// Prepares a build for a place of this kind that listens to this channel.
    pub(super) fn new(
        id: &TaskId,
        task: &RegisteredTask<E, P>,
        (kind, listens_to): (DriverKind, Option<&E>),
        bus: &EventBus<E, P>,
    ) -> Result<Self, SchedulerError> {
        match (kind, task) {
            (DriverKind::Background, RegisteredTask::Background(task)) => {
                Ok(Self::Background(Arc::clone(task)))
            }
            (DriverKind::Event, RegisteredTask::Event(task)) => {
                let channel = channel(id, task)?;
                let moved = match listens_to {
                    Some(same) if *same == channel => None,
                    _ => Some(Input::new(bus.subscribe(&channel)?)),
                };
                Ok(Self::Event { task: Arc::clone(task), moved })
            }
            (DriverKind::Background | DriverKind::Event, _) => {
                let text = format!("task {id} is driven in another way than the one before it");
                Err(SchedulerError::InvalidState(text))
            }
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
