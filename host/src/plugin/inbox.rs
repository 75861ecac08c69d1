//! A queue of the bus, lent to a plugin.

use std::sync::Arc;

use abi_stable::std_types::ROption;
use async_ffi::{BorrowingFfiFuture, FutureExt};
use hotbay_plugin_api::{
    Batch, ChannelName,
    abi::{Inbox, Polled},
};

use super::relay::Dispatch;
use crate::bus::{EventReceiver, TryRecvError};

pub(super) struct HostInbox {
    receiver: EventReceiver<ChannelName, Batch>,
    dispatch: Arc<Dispatch>,
}

impl HostInbox {
    pub(super) fn new(
        receiver: EventReceiver<ChannelName, Batch>,
        dispatch: Arc<Dispatch>,
    ) -> Self {
        Self { receiver, dispatch }
    }
}

impl Inbox for HostInbox {
    fn try_recv(&mut self) -> Polled {
        match self.receiver.try_recv() {
            Ok(batch) => Polled::Batch(batch),
            Err(TryRecvError::Empty) => Polled::Empty,
            Err(TryRecvError::Ended) => Polled::Ended,
        }
    }

    fn recv(&mut self) -> BorrowingFfiFuture<'_, ROption<Batch>> {
        let receiver = &mut self.receiver;
        let next = Box::pin(async move { ROption::from(receiver.recv().await) });
        self.dispatch.relay(next).into_ffi()
    }
}
