//! A queue of the bus, lent to a plugin.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use abi_stable::std_types::ROption;
use async_ffi::{BorrowingFfiFuture, FutureExt};
use hotbay_plugin_api::{
    Batch, ChannelName,
    abi::{Inbox, Polled},
};

use super::{relay::Dispatch, seat::Seat};
use crate::bus::{EventReceiver, TryRecvError, WaitsFor};

/// A subscription that the builds of a component hand on. It ends with its last holder.
#[derive(Debug)]
pub(super) struct Queue(Mutex<EventReceiver<ChannelName, Batch>>);

impl Queue {
    pub(super) fn new(receiver: EventReceiver<ChannelName, Batch>) -> Self {
        Self(Mutex::new(receiver))
    }

    fn lock(&self) -> MutexGuard<'_, EventReceiver<ChannelName, Batch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct HostInbox {
    queue: Arc<Queue>,
    seat: Seat,
    dispatch: Arc<Dispatch>,
}

impl HostInbox {
    pub(super) fn new(queue: Arc<Queue>, seat: Seat, dispatch: Arc<Dispatch>) -> Self {
        Self { queue, seat, dispatch }
    }
}

impl Inbox for HostInbox {
    fn try_recv(&mut self) -> Polled {
        match self.queue.lock().try_recv() {
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
            ROption::from(poll_fn(|cx| queue.lock().poll_recv(cx)).await)
        });
        self.dispatch.relay(next).into_ffi()
    }
}
