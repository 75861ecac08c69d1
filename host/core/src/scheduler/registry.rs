//! The tasks of a scheduler, by id.

use std::{collections::HashMap, fmt, sync::Arc};

use hotbay_plugin_api::{BackgroundTask, EventTask, EventType, SchedulerError, TaskId};
use tokio::sync::Mutex;

use super::DriverKind;
use crate::bus::Payload;

/// A background task that its driver and others share.
pub type SharedBackgroundTask = Arc<Mutex<dyn BackgroundTask>>;

/// An event task that its driver and others share.
pub type SharedEventTask<E, P = String> = Arc<Mutex<dyn EventTask<E, P>>>;

/// One task of a registry. Clones share the task.
pub enum RegisteredTask<E: EventType, P: Payload = String> {
    /// A background task, which runs turn after turn.
    Background(SharedBackgroundTask),
    /// An event task, which handles the events of a channel.
    Event(SharedEventTask<E, P>),
}

/// Finds tasks by id and lists them in the order of their registration.
///
/// A task of a plugin and a task that is linked in are the same here.
pub struct TaskRegistry<E: EventType, P: Payload = String> {
    tasks: HashMap<TaskId, RegisteredTask<E, P>>,
    order: Vec<TaskId>,
}

impl<E: EventType, P: Payload> TaskRegistry<E, P> {
    /// Creates a registry without tasks.
    pub fn new() -> Self {
        Self { tasks: HashMap::new(), order: Vec::new() }
    }

    /// Adds a background task.
    ///
    /// # Errors
    /// [`SchedulerError::DuplicateTask`] if the id is taken; the registry stays as it was.
    pub fn register_background_task(
        &mut self,
        id: impl Into<TaskId>,
        task: SharedBackgroundTask,
    ) -> Result<TaskId, SchedulerError> {
        self.register(id.into(), RegisteredTask::Background(task))
    }

    /// Adds an event task.
    ///
    /// # Errors
    /// [`SchedulerError::DuplicateTask`] if the id is taken; the registry stays as it was.
    pub fn register_event_task(
        &mut self,
        id: impl Into<TaskId>,
        task: SharedEventTask<E, P>,
    ) -> Result<TaskId, SchedulerError> {
        self.register(id.into(), RegisteredTask::Event(task))
    }

    /// Adds a task of either kind.
    ///
    /// # Errors
    /// [`SchedulerError::DuplicateTask`] if the id is taken; the registry stays as it was.
    pub fn register(
        &mut self,
        id: TaskId,
        task: RegisteredTask<E, P>,
    ) -> Result<TaskId, SchedulerError> {
        if self.tasks.contains_key(&id) {
            return Err(SchedulerError::DuplicateTask(id));
        }
        self.tasks.insert(id.clone(), task);
        self.order.push(id.clone());
        Ok(id)
    }

    /// Puts another build of a task in its place, and returns the one before.
    pub(super) fn replace(
        &mut self,
        id: &TaskId,
        task: RegisteredTask<E, P>,
    ) -> Option<RegisteredTask<E, P>> {
        self.tasks.get_mut(id).map(|place| std::mem::replace(place, task))
    }

    /// Removes the task of this id and returns it, if there is one.
    pub(super) fn remove(&mut self, id: &TaskId) -> Option<RegisteredTask<E, P>> {
        self.order.retain(|known| known != id);
        self.tasks.remove(id)
    }

    /// Returns the task of this id.
    pub fn get(&self, id: &TaskId) -> Option<&RegisteredTask<E, P>> {
        self.tasks.get(id)
    }

    /// Returns the background task of this id; `None` also if the id is an event task's.
    pub fn background_task(&self, id: &TaskId) -> Option<&SharedBackgroundTask> {
        match self.get(id)? {
            RegisteredTask::Background(task) => Some(task),
            RegisteredTask::Event(_) => None,
        }
    }

    /// Returns the event task of this id; `None` also if the id is a background task's.
    pub fn event_task(&self, id: &TaskId) -> Option<&SharedEventTask<E, P>> {
        match self.get(id)? {
            RegisteredTask::Event(task) => Some(task),
            RegisteredTask::Background(_) => None,
        }
    }

    /// Returns the ids, in the order of registration.
    pub fn ids(&self) -> &[TaskId] {
        &self.order
    }

    /// Returns how many tasks there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Returns `true` if there are none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

impl<E: EventType, P: Payload> RegisteredTask<E, P> {
    /// Returns how the task is driven.
    pub fn kind(&self) -> DriverKind {
        match self {
            Self::Background(_) => DriverKind::Background,
            Self::Event(_) => DriverKind::Event,
        }
    }
}

impl<E: EventType, P: Payload> Clone for RegisteredTask<E, P> {
    fn clone(&self) -> Self {
        match self {
            Self::Background(task) => Self::Background(Arc::clone(task)),
            Self::Event(task) => Self::Event(Arc::clone(task)),
        }
    }
}

impl<E: EventType, P: Payload> fmt::Debug for RegisteredTask<E, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RegisteredTask").field(&self.kind()).finish()
    }
}

impl<E: EventType, P: Payload> Default for TaskRegistry<E, P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: EventType, P: Payload> fmt::Debug for TaskRegistry<E, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.tasks).finish()
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;

    struct Idle;

    #[async_trait]
    impl BackgroundTask for Idle {
        async fn execute(&mut self) -> Result<(), SchedulerError> {
            Err(SchedulerError::Finished)
        }
    }

    #[async_trait]
    impl EventTask<u8> for Idle {
        fn subscribed_event(&self) -> &u8 {
            &0
        }

        async fn handle_event(&mut self, _: String) -> Result<(), SchedulerError> {
            Ok(())
        }
    }

    #[test]
    fn tasks_are_found_by_id_and_kind_and_listed_in_their_order() {
        let mut registry: TaskRegistry<u8> = TaskRegistry::new();
        assert!(registry.is_empty());
        let later = registry.register_background_task("z", Arc::new(Mutex::new(Idle))).unwrap();
        let event = registry.register_event_task("a", Arc::new(Mutex::new(Idle))).unwrap();
        assert_eq!(registry.ids(), [later.clone(), event.clone()]);
        assert_eq!(registry.len(), 2);
        assert!(
            registry.background_task(&later).is_some() && registry.event_task(&later).is_none()
        );
        assert!(
            registry.event_task(&event).is_some() && registry.background_task(&event).is_none()
        );
        assert!(registry.get(&TaskId::from("b")).is_none());
    }

    #[test]
    fn an_id_is_taken_by_either_kind() {
        let mut registry: TaskRegistry<u8> = TaskRegistry::new();
        let id = registry.register_background_task("a", Arc::new(Mutex::new(Idle))).unwrap();
        let error = registry.register_event_task("a", Arc::new(Mutex::new(Idle))).unwrap_err();
        assert_eq!(error, SchedulerError::DuplicateTask(id.clone()));
        assert!(registry.background_task(&id).is_some(), "the first one stays");
    }
}
