//! Waiting while what has to be stored can't be stored.

use hotbay_plugin_api::Durability;

use super::*;

impl Plan {
    /// Returns `true` if nothing new may begin of a task, because it can't be stored now.
    pub fn is_held(&self, task: &str) -> bool {
        let policy = self.tasks.get(task).map(|it| &it.policy);
        self.held && policy.is_some_and(|it| it.durability != Durability::Memory)
    }

    /// The runs that were due while the tasks were held were missed, as in a host that is down.
    pub(super) fn set_held(&mut self, held: bool) {
        let was_held = mem::replace(&mut self.held, held);
        if !was_held || held {
            return;
        }
        let mut made_up = 0;
        let tasks: Vec<_> = self.tasks.keys().cloned().collect();
        for task in tasks {
            self.catch_up(&task, &mut made_up);
            self.start_if_in_service(&task);
            self.follow_dependencies(&task);
        }
    }
}
