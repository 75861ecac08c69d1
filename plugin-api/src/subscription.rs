//! The subscription with which a component reads a channel.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use abi_stable::std_types::RBox;

use crate::{
    Batch, ChannelName,
    abi::{Inbox_TO, Polled},
    guard,
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

    /// Returns the name of the channel.
    pub fn channel(&self) -> &ChannelName {
        &self.channel
    }

    /// Receives the next batch. Returns `None` when the channel has ended and everything was delivered.
    ///
    /// No batch is lost if the future is dropped.
    pub async fn recv(&mut self) -> Option<Batch> {
        match self.inbox.try_recv() {
            Polled::Batch(batch) => Some(batch),
            Polled::Ended => None,
            Polled::Empty => match (InCall { inbox: &mut self.inbox, waits: false }).await {
                Ok(batch) => batch,
                Err(NotInCall) => self.inbox.recv().await.into_option(),
            },
        }
    }

    /// Receives the next batch if there is one.
    ///
    /// # Errors
    /// If there is none at the moment, or the channel has ended.
    pub fn try_recv(&mut self) -> Result<Batch, TryRecvError> {
        match self.inbox.try_recv() {
            Polled::Batch(batch) => Ok(batch),
            Polled::Ended => Err(TryRecvError::Ended),
            Polled::Empty => Err(TryRecvError::Empty),
        }
    }
}

/// A wait with the waker of the call in which the host polls this component: the host then
/// wakes its own task, and nothing of the plugin's has to be brought to its threads first.
struct InCall<'a> {
    inbox: &'a mut Inbox_TO<'static, RBox<()>>,
    waits: bool,
}

/// The waker is another one, such as that of a task of the plugin's own.
struct NotInCall;

impl Future for InCall<'_> {
    type Output = Result<Option<Batch>, NotInCall>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !guard::is_of_call(cx.waker()) {
            return Poll::Ready(Err(NotInCall));
        }
        match self.inbox.poll_in_call().into_option() {
            Some(Polled::Batch(batch)) => Poll::Ready(Ok(Some(batch))),
            Some(Polled::Ended) => Poll::Ready(Ok(None)),
            Some(Polled::Empty) => {
                self.waits = true;
                Poll::Pending
            }
            None => Poll::Ready(Err(NotInCall)),
        }
    }
}

impl Drop for InCall<'_> {
    fn drop(&mut self) {
        if self.waits {
            self.inbox.stop_waiting();
        }
    }
}

/// Why [`Subscription::try_recv`] returned no batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TryRecvError {
    /// No batch is queued at the moment.
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
