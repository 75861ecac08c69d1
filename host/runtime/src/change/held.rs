//! Components that are held during a replacement.

use std::time::{Duration, Instant};

use hotbay_core::driver::HoldError;
use hotbay_plugin_api::TaskId;

use super::{GRACE, PluginCore};

/// Components that are held. They go on when they are released, or when this is dropped,
/// whatever happens.
pub(super) struct Held<'a> {
    core: &'a PluginCore,
    ids: Vec<TaskId>,
    since: Option<Instant>,
}

impl<'a> Held<'a> {
    /// Nothing is held yet.
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

    /// Lets all of them go on, and returns how long the first of them was held.
    pub(super) fn release(mut self) -> Duration {
        self.let_go();
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Against the direction of the data, so that who gets events is there before who
    /// gives them.
    fn let_go(&mut self) {
        for id in self.ids.drain(..).rev() {
            if let Err(error) = self.core.release(&id) {
                tracing::error!(component = %id, %error, "does not go on");
            }
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.let_go();
    }
}
