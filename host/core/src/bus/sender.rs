//! The publishing end of a channel.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use hotbay_plugin_api::{ChannelConfig, EventType, Overflow, SchedulerError};
use tokio::task::coop;

use super::{
    Payload,
    channel::{Channel, Publisher},
    state::{Refusal, Ticket},
};

/// Publishes on one channel. Clones publish on the same one.
pub struct EventSender<E: EventType, P: Payload = String> {
    publisher: Arc<Publisher<E, P>>,
}

impl<E: EventType, P: Payload> EventSender<E, P> {
    pub(super) fn new(publisher: Arc<Publisher<E, P>>) -> Self {
        Self { publisher }
    }

    /// Publishes to every subscriber; under `block` as soon as all of them have room.
    ///
    /// Publishers that wait go in the order in which they came. Cancel-safe: a future
    /// that is dropped while it waits has published nothing and loses its place.
    ///
    /// # Errors
    /// [`SchedulerError::EventSend`] if the channel is closed, if it rejects for want of
    /// room, or if the payload has more events than the channel's capacity.
    /// [`try_send`](Self::try_send) gives the payload back instead.
    pub async fn send(&self, payload: P) -> Result<(), SchedulerError> {
        // A publisher that always finds room would otherwise never let its neighbours run.
        coop::consume_budget().await;
        let channel = self.publisher.channel();
        let events = payload.events();
        match channel.publish(payload) {
            Ok(()) => Ok(()),
            Err((Refusal::Full, payload)) if self.waits() => {
                let position = Position::NotInLine { payload };
                WaitForRoom { channel, events, position }.await
            }
            Err((refusal, _)) => Err(explain(channel, refusal, events)),
        }
    }

    /// Publishes at once or gives the payload back.
    ///
    /// # Errors
    /// [`TrySendError::Full`] under `block` and `reject` if a subscriber has no room or,
    /// under `block`, if other publishers wait already.
    pub fn try_send(&self, payload: P) -> Result<(), TrySendError<P>> {
        let capacity = self.config().capacity;
        self.publisher.channel().publish(payload).map_err(|(refusal, payload)| match refusal {
            Refusal::Full => TrySendError::Full(payload),
            Refusal::Closed => TrySendError::Closed(payload),
            Refusal::TooLarge => TrySendError::TooLarge { payload, capacity },
        })
    }

    /// Returns the event that names the channel.
    pub fn event(&self) -> &E {
        self.publisher.channel().event()
    }

    /// Returns the channel's size and purpose.
    pub fn config(&self) -> &ChannelConfig {
        self.publisher.channel().config()
    }

    /// Returns what the channel does with an event for which it has no room.
    pub fn overflow(&self) -> Overflow {
        self.publisher.channel().overflow()
    }

    fn waits(&self) -> bool {
        self.overflow() == Overflow::Block
    }
}

impl<E: EventType, P: Payload> Clone for EventSender<E, P> {
    fn clone(&self) -> Self {
        Self { publisher: Arc::clone(&self.publisher) }
    }
}

impl<E: EventType, P: Payload> fmt::Debug for EventSender<E, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventSender").field(self.event()).finish()
    }
}

/// Why [`EventSender::try_send`] did not publish, with the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrySendError<P> {
    /// A subscriber has no room, or others wait for room already.
    #[error("the channel is full")]
    Full(P),
    /// The channel has ended, so nothing can be published on it any more.
    #[error("the channel is closed")]
    Closed(P),
    /// The payload can never be published as it is.
    #[error("the payload has more events than the channel's capacity of {capacity}")]
    TooLarge {
        /// The payload that was not published.
        payload: P,
        /// The most events that a payload may have here.
        capacity: usize,
    },
}

impl<P> TrySendError<P> {
    /// Returns what was to be published.
    pub fn into_payload(self) -> P {
        match self {
            Self::Full(payload) | Self::Closed(payload) | Self::TooLarge { payload, .. } => payload,
        }
    }
}

/// The wait of one publisher, until its payload is published or the channel closed.
struct WaitForRoom<'a, E: EventType, P: Payload> {
    channel: &'a Channel<E, P>,
    events: usize,
    position: Position<P>,
}

enum Position<P> {
    NotInLine { payload: P },
    InLine { ticket: Ticket, payload: P },
    Done,
}

/// Nothing in it is pinned: the payload only ever moves.
impl<E: EventType, P: Payload> Unpin for WaitForRoom<'_, E, P> {}

impl<E: EventType, P: Payload> Future for WaitForRoom<'_, E, P> {
    type Output = Result<(), SchedulerError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (channel, events) = (self.channel, self.events);
        let (ticket, payload) = match std::mem::replace(&mut self.position, Position::Done) {
            Position::NotInLine { payload } => (channel.line_up(events, cx.waker()), payload),
            Position::InLine { ticket, payload } => (ticket, payload),
            Position::Done => return Poll::Pending,
        };
        // Asks again also right after lining up: room may have come since the first refusal.
        match channel.publish_waiting(ticket, payload, cx.waker()) {
            Ok(()) => Poll::Ready(Ok(())),
            Err((Refusal::Full, payload)) => {
                self.position = Position::InLine { ticket, payload };
                Poll::Pending
            }
            Err((refusal, _)) => Poll::Ready(Err(explain(channel, refusal, events))),
        }
    }
}

impl<E: EventType, P: Payload> Drop for WaitForRoom<'_, E, P> {
    fn drop(&mut self) {
        if let Position::InLine { ticket, .. } = &self.position {
            self.channel.leave_line(*ticket);
        }
    }
}

fn explain<E: EventType, P: Payload>(
    channel: &Channel<E, P>,
    refusal: Refusal,
    events: usize,
) -> SchedulerError {
    let (event, capacity) = (channel.event(), channel.config().capacity);
    SchedulerError::EventSend(match refusal {
        Refusal::Full => format!("channel {event:?} is full, at its capacity of {capacity}"),
        Refusal::Closed => format!("channel {event:?} is closed"),
        Refusal::TooLarge => format!(
            "a payload of {events} events exceeds the capacity of {capacity} of channel \
             {event:?}; publish it in parts"
        ),
    })
}
