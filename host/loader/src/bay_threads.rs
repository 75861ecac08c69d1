//! The threads that run the code of one plugin.

use std::{path::Path, sync::Arc};

use parking_lot::Mutex;

use crate::{
    crash::{SlotGuard, SlotId},
    foreign_threads::{own_id, register_bay_thread, unregister_bay_thread},
};

/// The threads that alone run the code of a certain plugin. Clones share one list.
///
/// The default is a list for a plugin that is linked into this program.
#[derive(Debug, Clone, Default)]
pub struct BayThreads {
    /// A crash on one of these threads is attributed to the plugin in this slot.
    slot: SlotId,
    ids: Arc<Mutex<Vec<u32>>>,
}

impl BayThreads {
    pub(crate) fn of(slot: Option<&SlotGuard>) -> Self {
        Self { slot: slot.map(SlotGuard::id).unwrap_or_default(), ids: Arc::default() }
    }

    /// Adds the calling thread. Call this when the thread starts.
    pub fn enter(&self) {
        self.slot.enter();
        register_bay_thread();
        self.ids.lock().push(own_id());
    }

    /// Notes that the calling thread is about to end. Call this when it ends.
    pub fn leave() {
        unregister_bay_thread();
    }

    /// Returns the number of these threads that have not ended.
    ///
    /// The kernel may list a thread for a moment after it was joined.
    pub fn alive(&self) -> usize {
        let mut ids = self.ids.lock();
        ids.retain(|id| Path::new("/proc/self/task").join(id.to_string()).exists());
        ids.len()
    }
}
