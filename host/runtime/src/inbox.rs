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

use abi_stable::std_types::ROption;
use async_ffi::{BorrowingFfiFuture, FutureExt};
use hotbay_plugin_api::{
    Batch, ChannelName,
    abi::{Inbox, Polled},
};

use super::{relay::Dispatch, seat::Seat};
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
}

impl HostInbox {
    pub(crate) fn new(queue: Arc<Queue>, seat: Seat, dispatch: Arc<Dispatch>) -> Self {
        Self { queue, seat, dispatch }
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
