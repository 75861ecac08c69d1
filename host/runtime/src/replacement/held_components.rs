//! Components that are held during a replacement.

use std::time::{Duration, Instant};

use hotbay_core::driver::HoldError;
use hotbay_plugin_api::{SchedulerError, TaskId};

use super::{GRACE, PluginCore};

/// Components that are held. They continue when they are released, or when this value is
/// dropped: so a replacement that is aborted leaves none of them held, except those whose build is
/// suspended, which can't handle anything. Only a stop of the host aborts one; it ends these.
pub(super) struct HeldComponents<'a> {
    core: &'a PluginCore,
    ids: Vec<TaskId>,
    /// Those that have a build that is suspended in their place.
    suspended: Vec<TaskId>,
    since: Option<Instant>,
}

impl<'a> HeldComponents<'a> {
    /// Makes an empty list.
    pub(super) fn new(core: &'a PluginCore) -> Self {
        Self { core, ids: Vec::new(), suspended: Vec::new(), since: None }
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

    /// Notes that the build of a held component is being suspended.
    pub(super) fn note_suspended(&mut self, id: TaskId) {
        self.suspended.push(id);
    }

    /// Tells if the build of a held component was suspended.
    pub(super) fn is_suspended(&self, id: &TaskId) -> bool {
        self.suspended.contains(id)
    }

    /// Ends a held component that can't continue.
    pub(super) fn fail(&mut self, id: &TaskId, error: SchedulerError) {
        tracing::error!(component = %id, %error, "a build that was suspended can't be resumed");
        self.ids.retain(|held| held != id);
        self.core.fail(id, error);
    }

    /// Lets all components continue, none of which has a suspended build any more, and returns how long the first of them was held.
    pub(super) fn release(mut self) -> Duration {
        self.suspended.clear();
        self.release_all();
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Releases in the reverse direction of the data, so that each receiver of events runs
    /// before the components that publish to it.
    fn release_all(&mut self) {
        for id in self.ids.drain(..).rev().filter(|id| !self.suspended.contains(id)) {
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
