//! Objects that a plugin made, held by the host, dropped on the bay.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::{
    runtime::Handle,
    sync::{Mutex, MutexGuard},
};

use super::bay::{Bay, Lodgers, Lodging};

/// The host's hold on an object of a plugin's. Whoever drops it, wherever, the
/// object itself is dropped on a thread of its bay.
#[derive(Debug)]
pub(crate) struct Housed<T: Send + 'static> {
    lodger: Arc<Lodger<T>>,
    bay: Handle,
    lodgers: Lodgers,
}

#[derive(Debug)]
struct Lodger<T>(Mutex<Option<T>>);

impl<T: Send + 'static> Housed<T> {
    pub(crate) fn new(bay: &Bay, object: T) -> Self {
        Self::noted(bay.handle().clone(), bay.lodgers().clone(), object)
    }

    fn noted(bay: Handle, lodgers: Lodgers, object: T) -> Self {
        let lodger = Arc::new(Lodger(Mutex::new(Some(object))));
        lodgers.note(Arc::downgrade(&lodger) as _);
        Self { lodger, bay, lodgers }
    }

    /// The object; `None` after its bay closed.
    pub(crate) async fn lock(&self) -> MutexGuard<'_, Option<T>> {
        // Nearly always free: only a closing bay asks besides the holder.
        match self.lodger.0.try_lock() {
            Ok(object) => object,
            Err(_) => self.lodger.0.lock().await,
        }
    }

    /// Lets the object make another one, on a thread of the bay; `None` after the bay closed.
    pub(crate) async fn make<U: Send + 'static, E: Send + 'static>(
        &self,
        code: impl FnOnce(&mut T) -> Result<U, E> + Send + 'static,
    ) -> Option<Result<Housed<U>, E>> {
        let (lodger, bay) = (Arc::clone(&self.lodger), self.bay.clone());
        let lodgers = self.lodgers.clone();
        let make = async move {
            // Held until the new object is noted: a bay that closes waits for this lock, and
            // looks for new objects afterwards.
            let mut object = lodger.0.lock().await;
            let made = code(object.as_mut()?);
            Some(made.map(|made| Housed::noted(bay, lodgers, made)))
        };
        self.bay.spawn(make).await.ok().flatten()
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
