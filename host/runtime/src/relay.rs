//! Futures of the host that a plugin polls, and the plugin's wakers.
//!
//! When a plugin polls a future of the host, the functions of the waker lie in the plugin's
//! library, but timers and channels of the host keep wakers for as long as they like. So they
//! get a waker of the host, and the plugin's waker stays in a [`WakerSlot`].
//!
//! A slot is *empty*, or *set* by a poll. A wake-up queues the slot with the [`WakeDispatcher`],
//! which calls and thereby drops the plugin's waker on the bay's threads. The slot is also
//! emptied when its future or inbox is dropped. When the bay closes, all slots are emptied and take
//! no waker any more, and then the dispatcher lets go of its share of the library. So no waker of a
//! plugin is left when its library is unmapped.
//!
//! # The races that the rules prevent
//!
//! * A wake-up may come on any thread of the host, while the bay is being closed: it only touches
//!   the queue. A slot that was emptied meanwhile calls nothing.
//! * The plugin's waker may poll at once and set the slot again. So it is taken out of the slot
//!   before it is called, and `queued` is reset before that: a wake-up in between queues the
//!   slot again instead of being lost.
//! * The plugin's waker may be the last owner of a task, and with it of the future or inbox that the
//!   slot belongs to, which empties the slot when it is dropped. So no waker is dropped under the
//!   lock of its slot.
//!
//! Lock order: the queue, the list of slots and one slot are never locked at the same time.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use hotbay_loader::Module;
use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::Notify};

/// Calls the plugin's wakers on the bay's threads.
#[derive(Debug, Default)]
pub(crate) struct WakeDispatcher {
    /// The slots whose wakers are to be called.
    woken: Mutex<Vec<Arc<WakerSlot>>>,
    /// All slots, so that a closing bay can empty them.
    slots: Mutex<Vec<Weak<WakerSlot>>>,
    /// The plugin, until its wakers are dropped.
    plugin: Mutex<Option<Module>>,
    closed: Arc<AtomicBool>,
    arrived: Notify,
    stopped: AtomicBool,
}

impl WakeDispatcher {
    pub(crate) fn start(bay: &Handle) -> Arc<Self> {
        let dispatcher = Arc::new(Self::default());
        bay.spawn(Arc::clone(&dispatcher).run());
        dispatcher
    }

    async fn run(self: Arc<Self>) {
        while !self.stopped.load(Ordering::Acquire) {
            self.arrived.notified().await;
            let woken = std::mem::take(&mut *self.woken.lock());
            for slot in woken {
                slot.call();
            }
        }
    }

    /// Keeps the plugin mapped until [`clear`](Self::clear) is called.
    pub(crate) fn hold(&self, plugin: Module) {
        *self.plugin.lock() = Some(plugin);
    }

    /// Drops every waker of the plugin, and takes no further one. To be called on the bay, before it
    /// is joined.
    pub(crate) fn clear(&self) {
        self.closed.store(true, Ordering::Release);
        let slots = std::mem::take(&mut *self.slots.lock());
        slots.iter().filter_map(Weak::upgrade).for_each(|slot| slot.clear());
        drop(self.plugin.lock().take());
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.arrived.notify_one();
    }

    /// Wraps a future of the host so that the plugin may poll it.
    pub(crate) fn relay<F: Future>(self: &Arc<Self>, inner: F) -> Relay<F> {
        Relay { inner, slot: None, dispatcher: Arc::clone(self) }
    }

    /// Makes an empty slot, for something that the plugin polls again and again.
    pub(crate) fn slot(self: &Arc<Self>) -> Arc<WakerSlot> {
        let slot = Arc::new(WakerSlot {
            foreign: Mutex::new(None),
            queued: AtomicBool::new(false),
            closed: Arc::clone(&self.closed),
            dispatcher: Arc::downgrade(self),
        });
        let mut slots = self.slots.lock();
        // Forget the slots of dropped futures whenever the list would grow: so the cost is
        // constant for each new slot on average.
        if slots.len() == slots.capacity() {
            slots.retain(|known| known.strong_count() > 0);
        }
        slots.push(Arc::downgrade(&slot));
        slot
    }
}

/// The place of the waker of the plugin that polls one thing.
#[derive(Debug)]
pub(crate) struct WakerSlot {
    /// The waker that the plugin polled with, if it is to be woken.
    foreign: Mutex<Option<Waker>>,
    /// Set while the slot is in the dispatcher's queue.
    queued: AtomicBool,
    /// Set once no waker may be kept any more. Read under the lock of `foreign`.
    closed: Arc<AtomicBool>,
    dispatcher: Weak<WakeDispatcher>,
}

impl WakerSlot {
    fn call(&self) {
        self.queued.store(false, Ordering::Release);
        if let Some(waker) = self.take() {
            waker.wake();
        }
    }

    /// Keeps the plugin's waker, and returns one of the host that leads to it.
    pub(crate) fn set(self: &Arc<Self>, waker: &Waker) -> Waker {
        let mut foreign = self.foreign.lock();
        let is_closed = self.closed.load(Ordering::Acquire);
        if !is_closed && !foreign.as_ref().is_some_and(|known| known.will_wake(waker)) {
            let before = foreign.replace(waker.clone());
            drop(foreign);
            drop(before);
        }
        Waker::from(Arc::clone(self))
    }

    /// Drops the plugin's waker.
    pub(crate) fn clear(&self) {
        drop(self.take());
    }

    /// Takes the plugin's waker out, so that it is called or dropped without the lock.
    fn take(&self) -> Option<Waker> {
        self.foreign.lock().take()
    }
}

impl Wake for WakerSlot {
    fn wake(self: Arc<Self>) {
        let Some(dispatcher) = self.dispatcher.upgrade() else { return };
        if !self.queued.swap(true, Ordering::AcqRel) {
            dispatcher.woken.lock().push(self);
            dispatcher.arrived.notify_one();
        }
    }
}

/// A future of the host that a plugin polls. See [`WakeDispatcher::relay`].
#[derive(Debug)]
pub(crate) struct Relay<F> {
    inner: F,
    slot: Option<Arc<WakerSlot>>,
    dispatcher: Arc<WakeDispatcher>,
}

impl<F: Future + Unpin> Future for Relay<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let slot = this.slot.get_or_insert_with(|| this.dispatcher.slot());
        let waker = slot.set(cx.waker());
        Pin::new(&mut this.inner).poll(&mut Context::from_waker(&waker))
    }
}

impl<F> Drop for Relay<F> {
    fn drop(&mut self) {
        // A timer or a channel may keep the host's waker, and with it the slot, but must not keep
        // the plugin's waker.
        if let Some(slot) = &self.slot {
            slot.clear();
        }
    }
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
            *self.thread.lock() = Some(thread::current().id());
            self.wakes.fetch_add(1, Ordering::SeqCst);
            self.notify.notify_one();
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_foreign_waker_is_called_on_the_bay_and_dropped_with_its_future() {
        let dispatcher = WakeDispatcher::start(&Handle::current());
        let (send, receive) = tokio::sync::oneshot::channel::<()>();
        let foreign = Arc::new(Foreign::default());
        let waker = Waker::from(Arc::clone(&foreign));
        let mut relay = dispatcher.relay(receive);
        assert!(Pin::new(&mut relay).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        let elsewhere = thread::spawn(move || send.send(()).unwrap());
        foreign.notify.notified().await;
        let sender = elsewhere.thread().id();
        elsewhere.join().unwrap();
        assert_ne!(*foreign.thread.lock(), Some(sender));
        drop(relay);
        dispatcher.clear();
        // The call that told us about itself may not have returned yet.
        let kept = async {
            while Arc::strong_count(&foreign) > 1 {
                tokio::task::yield_now().await;
            }
        };
        let limit = std::time::Duration::from_secs(5);
        tokio::time::timeout(limit, kept).await.expect("nobody keeps the plugin's waker");
    }

    /// A task of an executor that has no list of its tasks: only wakers own it.
    struct Parked(Mutex<Option<Relay<std::future::Pending<()>>>>);

    impl Wake for Parked {
        fn wake(self: Arc<Self>) {}
    }

    #[tokio::test]
    async fn a_task_that_only_its_waker_owns_is_dropped_when_the_bay_closes() {
        let dispatcher = WakeDispatcher::start(&Handle::current());
        let task = Arc::new(Parked(Mutex::new(None)));
        let waker = Waker::from(Arc::clone(&task));
        let mut relay = dispatcher.relay(std::future::pending());
        assert!(Pin::new(&mut relay).poll(&mut Context::from_waker(&waker)).is_pending());
        *task.0.lock() = Some(relay);
        let weak = Arc::downgrade(&task);
        drop((task, waker));
        assert!(weak.upgrade().is_some(), "the slot has its waker");
        let (cleared, wait) = std::sync::mpsc::channel();
        thread::spawn(move || {
            dispatcher.clear();
            cleared.send(()).unwrap();
        });
        wait.recv_timeout(std::time::Duration::from_secs(5)).expect("closing does not hang");
        assert!(weak.upgrade().is_none());
    }

    #[tokio::test]
    async fn a_waker_that_comes_after_the_bay_was_closed_is_not_kept() {
        let dispatcher = WakeDispatcher::start(&Handle::current());
        let (before, foreign) = (dispatcher.slot(), Arc::new(Foreign::default()));
        let waker = Waker::from(Arc::clone(&foreign));
        dispatcher.clear();
        for slot in [before, dispatcher.slot()] {
            slot.set(&waker).wake();
        }
        assert_eq!(Arc::strong_count(&foreign), 2, "the test and its waker have one each");
    }
}
