//! Reading a channel.

use std::fmt;

use abi_stable::std_types::RBox;

use crate::{
    Batch, ChannelName,
    abi::{Inbox_TO, Polled},
};

/// A queue of one channel's batches. Everything published since it was made is
/// delivered in order, within the channel's overflow policy.
pub struct Subscription {
    channel: ChannelName,
    inbox: Inbox_TO<'static, RBox<()>>,
}

impl Subscription {
    pub(crate) fn new(channel: ChannelName, inbox: Inbox_TO<'static, RBox<()>>) -> Self {
        Self { channel, inbox }
    }

    /// Which channel it reads.
    pub fn channel(&self) -> &ChannelName {
        &self.channel
    }

    /// The next batch; `None` when the channel has ended and all was delivered.
    ///
    /// If dropped while it waits, nothing is lost.
    pub async fn recv(&mut self) -> Option<Batch> {
        match self.inbox.try_recv() {
            Polled::Batch(batch) => Some(batch),
            Polled::Ended => None,
            Polled::Empty => self.inbox.recv().await.into_option(),
        }
    }

    /// The next batch if one is there.
    ///
    /// # Errors
    /// Says whether more may come.
    pub fn try_recv(&mut self) -> Result<Batch, TryRecvError> {
        match self.inbox.try_recv() {
            Polled::Batch(batch) => Ok(batch),
            Polled::Ended => Err(TryRecvError::Ended),
            Polled::Empty => Err(TryRecvError::Empty),
        }
    }
}

/// Why [`Subscription::try_recv`] gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TryRecvError {
    /// Nothing is there now.
    #[error("no event is waiting")]
    Empty,
    /// The channel has ended.
    #[error("the channel has ended")]
    Ended,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("channel", &self.channel).finish_non_exhaustive()
    }
}
