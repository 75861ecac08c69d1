//! Objects that a plugin made, held by the host, dropped on the bay.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::{
    runtime::Handle,
    sync::{Mutex, MutexGuard},
};

use super::bay::{Bay, Lodging};

/// The host's hold on an object of a plugin's. Whoever drops it, wherever, the
/// object itself is dropped on a thread of its bay.
#[derive(Debug)]
pub(crate) struct Housed<T: Send + 'static> {
    lodger: Arc<Lodger<T>>,
    bay: Handle,
}

#[derive(Debug)]
struct Lodger<T>(Mutex<Option<T>>);

impl<T: Send + 'static> Housed<T> {
    pub(crate) fn new(bay: &Bay, object: T) -> Self {
        let lodger = Arc::new(Lodger(Mutex::new(Some(object))));
        bay.house(Arc::downgrade(&lodger) as _);
        Self { lodger, bay: bay.handle().clone() }
    }

    /// The object; `None` after its bay closed.
    pub(crate) async fn lock(&self) -> MutexGuard<'_, Option<T>> {
        self.lodger.0.lock().await
    }

    /// Uses the object on a thread of the bay that may block.
    pub(crate) async fn block<R: Send + 'static>(
        &self,
        code: impl FnOnce(&mut T) -> R + Send + 'static,
    ) -> Option<R> {
        let lodger = Arc::clone(&self.lodger);
        let call = move || lodger.0.blocking_lock().as_mut().map(code);
        self.bay.spawn_blocking(call).await.ok().flatten()
    }
}

impl<T: Send + 'static> Drop for Housed<T> {
    fn drop(&mut self) {
        let lodger = Arc::clone(&self.lodger);
        drop(self.bay.spawn(async move { drop(lodger.0.lock().await.take()) }));
    }
}

#[async_trait]
impl<T: Send> Lodging for Lodger<T> {
    async fn evict(&self) {
        // A call that goes on, or the holder's own drop, has the lock: wait for it.
        drop(self.0.lock().await.take());
    }
}
