//! Wakers that a plugin made, kept where a closing bay can reach them.
//!
//! When a plugin polls a future of the host, the waker's functions lie in the
//! plugin, while the host's timers and channels keep wakers as long as they
//! like. So they get a waker of the host's, and the plugin's own stays in a slot:
//! it is called and dropped on the bay's threads only, and the slot is emptied
//! when the future goes or the bay closes.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use tokio::{runtime::Handle, sync::Notify};

/// Brings wake-ups onto the bay's threads.
#[derive(Debug, Default)]
pub(crate) struct Dispatch {
    woken: Mutex<Vec<Arc<Slot>>>,
    slots: Mutex<Vec<Weak<Slot>>>,
    arrived: Notify,
    stopped: AtomicBool,
}

impl Dispatch {
    pub(crate) fn start(bay: &Handle) -> Arc<Self> {
        let dispatch = Arc::new(Self::default());
        bay.spawn(Arc::clone(&dispatch).run());
        dispatch
    }

    async fn run(self: Arc<Self>) {
        while !self.stopped.load(Ordering::Acquire) {
            self.arrived.notified().await;
            let woken = std::mem::take(&mut *lock(&self.woken));
            for slot in woken {
                slot.call();
            }
        }
    }

    /// Drops every waker that the plugin left; call it on the bay, before it is joined.
    pub(crate) fn clear(&self) {
        let slots = std::mem::take(&mut *lock(&self.slots));
        slots.iter().filter_map(Weak::upgrade).for_each(|slot| slot.clear());
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.arrived.notify_one();
    }

    /// A future of the host's for the plugin to poll.
    pub(crate) fn relay<F: Future>(self: &Arc<Self>, inner: F) -> Relay<F> {
        Relay { inner, slot: None, dispatch: Arc::clone(self) }
    }

    fn slot(self: &Arc<Self>) -> Arc<Slot> {
        let slot = Arc::new(Slot {
            foreign: Mutex::new(None),
            queued: AtomicBool::new(false),
            dispatch: Arc::downgrade(self),
        });
        let mut slots = lock(&self.slots);
        // Forget the slots of futures that are gone, at a cost spread over the pushes.
        if slots.len() == slots.capacity() {
            slots.retain(|known| known.strong_count() > 0);
        }
        slots.push(Arc::downgrade(&slot));
        slot
    }
}

#[derive(Debug)]
struct Slot {
    foreign: Mutex<Option<Waker>>,
    queued: AtomicBool,
    dispatch: Weak<Dispatch>,
}

impl Slot {
    fn call(&self) {
        self.queued.store(false, Ordering::Release);
        // Taken out: the plugin's function must not run under the lock, since it
        // may poll, and so set this slot, at once.
        let foreign = lock(&self.foreign).take();
        if let Some(waker) = foreign {
            waker.wake();
        }
    }

    fn set(&self, waker: &Waker) {
        let mut foreign = lock(&self.foreign);
        if !foreign.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *foreign = Some(waker.clone());
        }
    }

    fn clear(&self) {
        drop(lock(&self.foreign).take());
    }
}

impl Wake for Slot {
    fn wake(self: Arc<Self>) {
        let Some(dispatch) = self.dispatch.upgrade() else { return };
        if !self.queued.swap(true, Ordering::AcqRel) {
            lock(&dispatch.woken).push(self);
            dispatch.arrived.notify_one();
        }
    }
}

/// See [`Dispatch::relay`].
#[derive(Debug)]
pub(crate) struct Relay<F> {
    inner: F,
    slot: Option<Arc<Slot>>,
    dispatch: Arc<Dispatch>,
}

impl<F: Future + Unpin> Future for Relay<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let slot = this.slot.get_or_insert_with(|| this.dispatch.slot());
        slot.set(cx.waker());
        let waker = Waker::from(Arc::clone(slot));
        Pin::new(&mut this.inner).poll(&mut Context::from_waker(&waker))
    }
}

impl<F> Drop for Relay<F> {
    fn drop(&mut self) {
        // A timer or channel may keep the host's waker, and with it the slot: not the plugin's.
        if let Some(slot) = &self.slot {
            slot.clear();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicUsize, thread};

    use super::*;

    #[derive(Default)]
    struct Foreign {
        wakes: AtomicUsize,
        thread: Mutex<Option<thread::ThreadId>>,
        notify: Notify,
    }

    impl Wake for Foreign {
        fn wake(self: Arc<Self>) {
            *lock(&self.thread) = Some(thread::current().id());
            self.wakes.fetch_add(1, Ordering::SeqCst);
            self.notify.notify_one();
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_foreign_waker_is_called_on_the_bay_and_dropped_with_its_future() {
        let dispatch = Dispatch::start(&Handle::current());
        let (send, receive) = tokio::sync::oneshot::channel::<()>();
        let foreign = Arc::new(Foreign::default());
        let waker = Waker::from(Arc::clone(&foreign));
        let mut relay = dispatch.relay(receive);
        assert!(Pin::new(&mut relay).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        let elsewhere = thread::spawn(move || send.send(()).unwrap());
        foreign.notify.notified().await;
        let sender = elsewhere.thread().id();
        elsewhere.join().unwrap();
        assert_ne!(*lock(&foreign.thread), Some(sender));
        drop(relay);
        dispatch.clear();
        // The call that told us about itself may not have returned yet.
        let kept = async {
            while Arc::strong_count(&foreign) > 1 {
                tokio::task::yield_now().await;
            }
        };
        let limit = std::time::Duration::from_secs(5);
        tokio::time::timeout(limit, kept).await.expect("nobody keeps the plugin's waker");
    }
}
