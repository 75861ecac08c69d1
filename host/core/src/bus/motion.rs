//! Telling a shutdown that something has moved on the bus.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{Notify, futures::Notified};

/// Notifies observers of a bus after each change of one of its channels.
#[derive(Debug, Default)]
pub(super) struct Motion {
    observers: AtomicUsize,
    changed: Notify,
}

/// Observes a bus until it is dropped. Channels pay for notifications only meanwhile.
#[derive(Debug)]
pub(crate) struct Observer(Arc<Motion>);

impl Motion {
    /// To be called after a change, without the channel's lock.
    ///
    /// A relaxed load suffices: the observer counts itself before it locks the channel to
    /// look at it. A change that comes after that look has locked the channel later, and so
    /// finds the observer counted; a change that came before is part of the look.
    pub(super) fn notify(&self) {
        if self.observers.load(Ordering::Relaxed) > 0 {
            self.changed.notify_waiters();
        }
    }

    pub(super) fn observe(self: &Arc<Self>) -> Observer {
        self.observers.fetch_add(1, Ordering::Relaxed);
        Observer(Arc::clone(self))
    }
}

impl Observer {
    /// Completes after the next change. Changes count from the call on, not from the first
    /// poll: ask first, then look at the bus, then wait.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.0.changed.notified()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.0.observers.fetch_sub(1, Ordering::Relaxed);
    }
}
