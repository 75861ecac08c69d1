//! Components that are held during a replacement.

use std::time::{Duration, Instant};

use hotbay_core::driver::HoldError;
use hotbay_plugin_api::{SchedulerError, TaskId};

use super::{GRACE, PluginCore};

/// Components that are held. They continue when they are released, or when this value is
/// dropped: so a replacement that is aborted leaves none of them held.
pub(super) struct HeldComponents<'a> {
    core: &'a PluginCore,
    ids: Vec<TaskId>,
    since: Option<Instant>,
}

impl<'a> HeldComponents<'a> {
    /// Makes an empty list.
    pub(super) fn new(core: &'a PluginCore) -> Self {
        Self { core, ids: Vec::new(), since: None }
    }

    /// Holds one more component.
    pub(super) async fn hold(&mut self, id: TaskId, limit: Duration) -> Result<(), HoldError> {
        self.core.hold(&id, GRACE, limit).await?;
        self.since.get_or_insert_with(Instant::now);
        self.ids.push(id);
        Ok(())
    }

    pub(super) fn core(&self) -> &'a PluginCore {
        self.core
    }

    /// Ends a held component that can't continue.
    pub(super) fn fail(&mut self, id: &TaskId, error: SchedulerError) {
        tracing::error!(component = %id, %error, "a build that was suspended can't be resumed");
        self.ids.retain(|held| held != id);
        self.core.fail(id, error);
    }

    /// Lets all components continue, and returns how long the first of them was held.
    pub(super) fn release(mut self) -> Duration {
        self.release_all();
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Releases in the reverse direction of the data, so that each receiver of events runs
    /// before the components that publish to it.
    fn release_all(&mut self) {
        for id in self.ids.drain(..).rev() {
            if let Err(error) = self.core.release(&id) {
                tracing::error!(component = %id, %error, "a held component does not continue");
            }
        }
    }
}

impl Drop for HeldComponents<'_> {
    fn drop(&mut self) {
        self.release_all();
    }
}
