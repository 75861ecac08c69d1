//! Looking up and listing.

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
    assert!(registry.background_task(&later).is_some() && registry.event_task(&later).is_none());
    assert!(registry.event_task(&event).is_some() && registry.background_task(&event).is_none());
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
