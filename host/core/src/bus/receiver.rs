//! The receiving end of a channel.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use hotbay_plugin_api::{EventType, Overflow};
use tokio::task::coop;

use super::error::TryRecvError;
use super::{Payload, SubscriptionId, channel::Channel};

/// A subscription to a channel, with a queue of its own that is filled from then on.
///
/// Dropping it ends the subscription, and publishers that waited for it go on.
pub struct EventReceiver<E: EventType, P: Payload = String> {
    channel: Arc<Channel<E, P>>,
    id: SubscriptionId,
}

impl<E: EventType, P: Payload> EventReceiver<E, P> {
    pub(super) fn new(channel: Arc<Channel<E, P>>) -> Self {
        let id = channel.subscribe();
        Self { channel, id }
    }

    /// Waits for the next payload; `None` once the channel is closed and everything was received.
    ///
    /// Cancel-safe: a payload is only ever taken by the poll that returns it.
    pub async fn recv(&mut self) -> Option<P> {
        Recv { receiver: self, parked: false }.await
    }

    /// Appends what is queued to `buffer`, at most `limit` payloads, and waits only while
    /// nothing is. Returns how many; 0 once the channel is closed and everything was
    /// received, or if `limit` is 0. Cancel-safe as [`recv`](Self::recv).
    pub async fn recv_many(&mut self, buffer: &mut Vec<P>, limit: usize) -> usize {
        if limit == 0 {
            return 0;
        }
        let before = buffer.len();
        if let Some(first) = self.recv().await {
            buffer.push(first);
            self.channel.take_many(self.id, buffer, limit - 1);
        }
        buffer.len() - before
    }

    /// Returns the next payload, if one is queued.
    ///
    /// # Errors
    /// Says whether there can ever be another one.
    pub fn try_recv(&mut self) -> Result<P, TryRecvError> {
        self.channel.take(self.id)
    }

    /// [`recv`](Self::recv) for hand-written futures.
    ///
    /// After `Pending` the waker is kept until there is something to receive, the next
    /// poll, or the receiver's drop.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<P>> {
        // A receiver that always finds something must let its neighbours run at times.
        let budget = ready!(coop::poll_proceed(cx));
        let taken = self.channel.poll_take(self.id, cx);
        if taken.is_ready() {
            budget.made_progress();
        }
        taken
    }

    /// Returns which of the channel's subscriptions this is.
    pub fn id(&self) -> SubscriptionId {
        self.id
    }

    /// Returns the event that names the channel.
    pub fn event(&self) -> &E {
        self.channel.event()
    }

    /// Returns what the channel does with an event for which there is no room.
    pub fn overflow(&self) -> Overflow {
        self.channel.overflow()
    }
}

impl<E: EventType, P: Payload> Drop for EventReceiver<E, P> {
    fn drop(&mut self) {
        self.channel.unsubscribe(self.id);
    }
}

impl<E: EventType, P: Payload> fmt::Debug for EventReceiver<E, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventReceiver").field("event", self.event()).field("id", &self.id).finish()
    }
}

struct Recv<'a, E: EventType, P: Payload> {
    receiver: &'a mut EventReceiver<E, P>,
    /// A waker of ours is with the channel, unless it was woken since.
    parked: bool,
}

impl<E: EventType, P: Payload> Future for Recv<'_, E, P> {
    type Output = Option<P>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let taken = self.receiver.poll_recv(cx);
        self.parked = taken.is_pending();
        taken
    }
}

impl<E: EventType, P: Payload> Drop for Recv<'_, E, P> {
    fn drop(&mut self) {
        // A waker must not outlive the wait it was made for: its code may be a plugin's.
        if self.parked {
            self.receiver.channel.forget_waker(self.receiver.id);
        }
    }
}
