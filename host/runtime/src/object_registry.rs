//! The objects that a plugin made and that are left, so that a closing bay can drop them.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use async_trait::async_trait;
use parking_lot::Mutex;

/// An object of a plugin, of whatever type, that a closing bay can drop.
#[async_trait]
pub(crate) trait PluginObject: Send + Sync {
    /// Drops the object on the calling thread, after the call into it that is under way.
    async fn drop_object(&self);
}

/// The objects of one bay that have not been dropped. Clones share one list.
#[derive(Clone, Default)]
pub(crate) struct ObjectRegistry(Arc<Mutex<Vec<Weak<dyn PluginObject>>>>);

impl ObjectRegistry {
    /// Adds an object, and forgets those that were dropped.
    pub(crate) fn register(&self, object: Weak<dyn PluginObject>) {
        let mut objects = self.0.lock();
        objects.retain(|known| known.strong_count() > 0);
        objects.push(object);
    }

    /// Takes out the objects that have not been dropped.
    pub(crate) fn take(&self) -> Vec<Arc<dyn PluginObject>> {
        let objects = std::mem::take(&mut *self.0.lock());
        objects.iter().filter_map(Weak::upgrade).collect()
    }
}

impl fmt::Debug for ObjectRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectRegistry").finish_non_exhaustive()
    }
}
