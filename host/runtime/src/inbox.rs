//! A queue of the bus, lent to a plugin.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use abi_stable::std_types::{RNone, ROption, RSome};
use async_ffi::{BorrowingFfiFuture, FutureExt};
use hotbay_plugin_api::{
    Batch, ChannelName,
    abi::{Inbox, Polled},
};

use super::{
    caller,
    relay::Dispatch,
    seat::{Seat, Waiting},
};
use hotbay_core::bus::{EventReceiver, TryRecvError, WaitsFor};

/// A subscription that the builds of a component hand on. It ends with its last holder.
#[derive(Debug)]
pub(crate) struct Queue {
    receipts: Mutex<Receipts>,
    /// Whether what is received is kept; the seat's.
    keeps: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Receipts {
    receiver: EventReceiver<ChannelName, Batch>,
    /// Received by a build on probation that is not done with it.
    kept: VecDeque<Batch>,
    /// To be received again, before what the receiver has.
    again: VecDeque<Batch>,
}

impl Queue {
    pub(crate) fn new(receiver: EventReceiver<ChannelName, Batch>, keeps: Arc<AtomicBool>) -> Self {
        let receipts = Receipts { receiver, kept: VecDeque::new(), again: VecDeque::new() };
        Self { receipts: Mutex::new(receipts), keeps }
    }

    /// What was received is done with.
    pub(crate) fn settle(&self) {
        self.lock().kept.clear();
    }

    /// What was received and is not done with comes again, in its order.
    pub(crate) fn give_back(&self) {
        let mut receipts = self.lock();
        let mut again = std::mem::take(&mut receipts.kept);
        again.append(&mut receipts.again);
        receipts.again = again;
    }

    fn try_recv(&self) -> Result<Batch, TryRecvError> {
        let mut receipts = self.lock();
        let batch = match receipts.again.pop_front() {
            Some(batch) => batch,
            None => receipts.receiver.try_recv()?,
        };
        self.keep(&mut receipts, &batch);
        Ok(batch)
    }

    fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Option<Batch>> {
        let mut receipts = self.lock();
        let batch = match receipts.again.pop_front() {
            Some(batch) => Some(batch),
            None => ready!(receipts.receiver.poll_recv(cx)),
        };
        if let Some(batch) = &batch {
            self.keep(&mut receipts, batch);
        }
        Poll::Ready(batch)
    }

    fn keep(&self, receipts: &mut Receipts, batch: &Batch) {
        if self.keeps.load(Ordering::Acquire) {
            receipts.kept.push_back(batch.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Receipts> {
        self.receipts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct HostInbox {
    queue: Arc<Queue>,
    seat: Seat,
    dispatch: Arc<Dispatch>,
    /// A wait within a call.
    waiting: Option<Waiting>,
}

impl HostInbox {
    pub(crate) fn new(queue: Arc<Queue>, seat: Seat, dispatch: Arc<Dispatch>) -> Self {
        Self { queue, seat, dispatch, waiting: None }
    }
}

impl Inbox for HostInbox {
    fn try_recv(&mut self) -> Polled {
        match self.queue.try_recv() {
            Ok(batch) => Polled::Batch(batch),
            Err(TryRecvError::Empty) => Polled::Empty,
            Err(TryRecvError::Ended) => Polled::Ended,
        }
    }

    fn poll_in_call(&mut self) -> ROption<Polled> {
        let Some(waker) = caller::waker() else { return RNone };
        match self.queue.poll_recv(&mut Context::from_waker(&waker)) {
            Poll::Ready(batch) => {
                self.waiting = None;
                RSome(batch.map_or(Polled::Ended, Polled::Batch))
            }
            Poll::Pending => {
                let seat = &self.seat;
                self.waiting.get_or_insert_with(|| seat.wait(WaitsFor::Events));
                RSome(Polled::Empty)
            }
        }
    }

    fn stop_waiting(&mut self) {
        self.waiting = None;
    }

    fn recv(&mut self) -> BorrowingFfiFuture<'_, ROption<Batch>> {
        let queue = &self.queue;
        let waiting = self.seat.wait(WaitsFor::Events);
        let next = Box::pin(async move {
            let _waiting = waiting;
            ROption::from(poll_fn(|cx| queue.poll_recv(cx)).await)
        });
        self.dispatch.relay(next).into_ffi()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::AtomicUsize,
        task::{Wake, Waker},
    };

    use hotbay_core::{ChannelConfig, bus::EventBus};
    use hotbay_plugin_api::EventHeader;
    use tokio::runtime::Handle;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn batch() -> Batch {
        Batch::copy_from(
            &[EventHeader { time_ns: 0, seq: 0, source: 0, kind: 0, offset: 0, len: 0 }],
            b"",
        )
    }

    #[tokio::test]
    async fn a_wait_within_a_call_wakes_the_task_that_called() {
        let name = ChannelName::from("raw");
        let bus = EventBus::with_payload(vec![(name.clone(), ChannelConfig::new(4, ""))]);
        let seat = Seat::new("component", 1);
        let queue = seat.subscription(&name, || bus.subscribe(&name)).unwrap();
        let dispatch = Dispatch::start(&Handle::current());
        let mut inbox = HostInbox::new(queue, seat.clone(), dispatch);
        let wakes = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let mut cx = Context::from_waker(&waker);

        assert!(matches!(inbox.poll_in_call(), RNone), "no task calls yet");
        let polled = caller::calling(&mut cx, |_| inbox.poll_in_call());
        assert!(matches!(polled, RSome(Polled::Empty)));
        assert_eq!(seat.waits_for(), WaitsFor::Events);

        bus.clone_sender(&name).unwrap().send(batch()).await.unwrap();
        assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
        let polled = caller::calling(&mut cx, |_| inbox.poll_in_call());
        assert!(matches!(polled, RSome(Polled::Batch(_))));
        assert_eq!(seat.waits_for(), WaitsFor::SomethingElse);
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_is_not_counted_any_more() {
        let name = ChannelName::from("raw");
        let bus = EventBus::with_payload(vec![(name.clone(), ChannelConfig::new(4, ""))]);
        let seat = Seat::new("component", 1);
        let queue = seat.subscription(&name, || bus.subscribe(&name)).unwrap();
        let mut inbox = HostInbox::new(queue, seat.clone(), Dispatch::start(&Handle::current()));
        let mut cx = Context::from_waker(Waker::noop());
        caller::calling(&mut cx, |_| drop(inbox.poll_in_call()));
        inbox.stop_waiting();
        assert_eq!(seat.waits_for(), WaitsFor::SomethingElse);
    }
}
