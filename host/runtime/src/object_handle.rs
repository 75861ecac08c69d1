//! Handles to objects that a plugin made.
//!
//! An object of a plugin may only be dropped on a thread of the plugin's bay, and it has to be
//! dropped before the library is unmapped. An [`ObjectHandle`] sees to the first, wherever the
//! handle itself is dropped. The [`ObjectRegistry`] of the bay sees to the second.
//!
//! Lock order: the object, then the registry. The registry is never locked while a closing bay
//! waits for an object.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::{
    runtime::Handle,
    sync::{Mutex, MutexGuard},
};

use super::{
    bay::Bay,
    object_registry::{ObjectRegistry, PluginObject},
};

/// A handle to an object that a plugin made.
///
/// When the handle is dropped, on whatever thread, the object is dropped on a thread of its bay.
#[derive(Debug)]
pub(crate) struct ObjectHandle<T: Send + 'static> {
    cell: Arc<ObjectCell<T>>,
    bay: Handle,
    registry: ObjectRegistry,
}

/// Holds one object until it is dropped, by its handle or by the closing bay.
#[derive(Debug)]
struct ObjectCell<T>(Mutex<Option<T>>);

impl<T: Send + 'static> ObjectHandle<T> {
    pub(crate) fn new(bay: &Bay, object: T) -> Self {
        Self::registered(bay.handle().clone(), bay.objects().clone(), object)
    }

    fn registered(bay: Handle, registry: ObjectRegistry, object: T) -> Self {
        let cell = Arc::new(ObjectCell(Mutex::new(Some(object))));
        registry.register(Arc::downgrade(&cell) as _);
        Self { cell, bay, registry }
    }

    /// Locks the object. The guard holds `None` after the bay was closed.
    pub(crate) async fn lock(&self) -> MutexGuard<'_, Option<T>> {
        // Nearly always free: only a closing bay competes with the holder of the handle.
        match self.cell.0.try_lock() {
            Ok(object) => object,
            Err(_) => self.cell.0.lock().await,
        }
    }

    /// Lets the object make another object, on a thread of the bay.
    ///
    /// Returns `None` after the bay was closed.
    pub(crate) async fn make<U: Send + 'static, E: Send + 'static>(
        &self,
        code: impl FnOnce(&mut T) -> Result<U, E> + Send + 'static,
    ) -> Option<Result<ObjectHandle<U>, E>> {
        let (cell, bay) = (Arc::clone(&self.cell), self.bay.clone());
        let registry = self.registry.clone();
        let make = async move {
            // Held until the new object is registered: a closing bay waits for this lock, and
            // looks for new objects afterwards.
            let mut object = cell.0.lock().await;
            let made = code(object.as_mut()?);
            Some(made.map(|made| ObjectHandle::registered(bay, registry, made)))
        };
        self.bay.spawn(make).await.ok().flatten()
    }

    /// Calls `code` with the object, on a thread of the bay that may block.
    ///
    /// Returns `None` after the bay was closed.
    pub(crate) async fn block<R: Send + 'static>(
        &self,
        code: impl FnOnce(&mut T) -> R + Send + 'static,
    ) -> Option<R> {
        let cell = Arc::clone(&self.cell);
        let call = move || cell.0.blocking_lock().as_mut().map(code);
        self.bay.spawn_blocking(call).await.ok().flatten()
    }
}

impl<T: Send + 'static> Drop for ObjectHandle<T> {
    fn drop(&mut self) {
        let cell = Arc::clone(&self.cell);
        drop(self.bay.spawn(async move { drop(cell.0.lock().await.take()) }));
    }
}

#[async_trait]
impl<T: Send> PluginObject for ObjectCell<T> {
    async fn drop_object(&self) {
        // A call that is under way, or the handle's own drop, has the lock: wait for it.
        drop(self.0.lock().await.take());
    }
}
