//! An input of the bus, lent to a plugin.

use std::{future::poll_fn, sync::Arc};

use abi_stable::std_types::ROption;
use async_ffi::{BorrowingFfiFuture, FutureExt};
use hotbay_plugin_api::{
    Batch, ChannelName,
    abi::{Inbox, Polled},
};
use parking_lot::Mutex;

use super::{relay::Dispatch, seat::Seat};
use hotbay_core::bus::{Input, TryRecvError, WaitsFor};

/// An input of a component.
pub(crate) type PluginInput = Mutex<Input<ChannelName, Batch>>;

/// An input that the builds of a component hand on. It ends with its last holder.
pub(crate) type SharedInput = Arc<PluginInput>;

pub(crate) struct HostInbox {
    input: SharedInput,
    seat: Seat,
    dispatch: Arc<Dispatch>,
}

impl HostInbox {
    pub(crate) fn new(input: SharedInput, seat: Seat, dispatch: Arc<Dispatch>) -> Self {
        Self { input, seat, dispatch }
    }
}

impl Inbox for HostInbox {
    fn try_recv(&mut self) -> Polled {
        match self.input.lock().try_recv() {
            Ok(batch) => Polled::Batch(batch),
            Err(TryRecvError::Empty) => Polled::Empty,
            Err(TryRecvError::Ended) => Polled::Ended,
        }
    }

    fn recv(&mut self) -> BorrowingFfiFuture<'_, ROption<Batch>> {
        let input = &self.input;
        let waiting = self.seat.wait(WaitsFor::Events);
        let next = Box::pin(async move {
            let _waiting = waiting;
            ROption::from(poll_fn(|cx| input.lock().poll_recv(cx)).await)
        });
        self.dispatch.relay(next).into_ffi()
    }
}
