//! A channel of the bus, which keeps its state behind a lock and gives the handles access to it.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use hotbay_plugin_api::{ChannelConfig, EventType, Overflow};
use parking_lot::Mutex;

use super::{
    Activity, ChannelStats, Payload, SubscriptionId,
    effects::Effects,
    error::TryRecvError,
    motion::Motion,
    state::{Refusal, State, Ticket},
};

pub(super) struct Channel<E, P> {
    event: E,
    config: ChannelConfig,
    overflow: Overflow,
    state: Mutex<State<P>>,
    motion: Arc<Motion>,
}

impl<E: EventType, P: Payload> Channel<E, P> {
    pub(super) fn new(
        event: E,
        config: ChannelConfig,
        overflow: Overflow,
        motion: Arc<Motion>,
    ) -> Self {
        let state = Mutex::new(State::new(config.capacity, overflow));
        Self { event, config, overflow, state, motion }
    }

    pub(super) fn event(&self) -> &E {
        &self.event
    }

    pub(super) fn config(&self) -> &ChannelConfig {
        &self.config
    }

    pub(super) fn overflow(&self) -> Overflow {
        self.overflow
    }

    pub(super) fn publish(&self, payload: P) -> Result<(), (Refusal, P)> {
        let events = payload.events();
        if events == 0 {
            return Ok(());
        }
        self.change(|state, effects| state.publish(payload, events, effects))
    }

    pub(super) fn line_up(&self, events: usize, waker: &Waker) -> Ticket {
        let waker = waker.clone();
        self.state.lock().line_up(events, waker)
    }

    pub(super) fn publish_waiting(
        &self,
        ticket: Ticket,
        payload: P,
        waker: &Waker,
    ) -> Result<(), (Refusal, P)> {
        self.change(|state, effects| state.publish_waiting(ticket, payload, waker, effects))
    }

    pub(super) fn leave_line(&self, ticket: Ticket) {
        self.change(|state, effects| state.leave_line(ticket, effects));
    }

    pub(super) fn subscribe(&self) -> SubscriptionId {
        self.state.lock().subscribe()
    }

    pub(super) fn unsubscribe(&self, id: SubscriptionId) {
        self.change(|state, effects| state.unsubscribe(id, effects));
    }

    pub(super) fn take(&self, id: SubscriptionId) -> Result<P, TryRecvError> {
        self.change(|state, effects| state.take(id, effects))
    }

    /// Like [`take`](Self::take), but wakes a receiver that found nothing when there is something.
    pub(super) fn poll_take(&self, id: SubscriptionId, cx: &mut Context<'_>) -> Poll<Option<P>> {
        self.change(|state, effects| match state.take(id, effects) {
            Ok(payload) => Poll::Ready(Some(payload)),
            Err(TryRecvError::Ended) => Poll::Ready(None),
            Err(TryRecvError::Empty) => {
                state.await_payload(id, cx.waker(), effects);
                Poll::Pending
            }
        })
    }

    /// Appends to `buffer` what is queued, `limit` payloads at the most.
    pub(super) fn take_many(&self, id: SubscriptionId, buffer: &mut Vec<P>, limit: usize) {
        self.change(|state, effects| {
            let queued = std::iter::from_fn(|| state.take(id, effects).ok());
            buffer.extend(queued.take(limit));
        });
    }

    pub(super) fn forget_waker(&self, id: SubscriptionId) {
        let waker = self.state.lock().forget_waker(id);
        drop(waker);
    }

    pub(super) fn close(&self) {
        self.change(State::close);
    }

    pub(super) fn stats(&self) -> ChannelStats {
        self.state.lock().stats()
    }

    pub(super) fn add_activity(&self, activity: &mut Activity) {
        self.state.lock().add_activity(activity);
    }

    /// One step under the lock, and what follows from it after the lock.
    fn change<T>(&self, step: impl FnOnce(&mut State<P>, &mut Effects<P>) -> T) -> T {
        let mut effects = Effects::new();
        // Every step leaves the state whole before it runs code that might panic, so a
        // panic needs no poisoning of the lock.
        let result = step(&mut self.state.lock(), &mut effects);
        effects.perform();
        self.motion.notify();
        result
    }
}

/// The right to publish. When its last holder lets go of it, the channel ends.
pub(super) struct Publisher<E: EventType, P: Payload> {
    channel: Arc<Channel<E, P>>,
}

impl<E: EventType, P: Payload> Publisher<E, P> {
    pub(super) fn new(channel: Channel<E, P>) -> Self {
        Self { channel: Arc::new(channel) }
    }

    pub(super) fn channel(&self) -> &Arc<Channel<E, P>> {
        &self.channel
    }
}

impl<E: EventType, P: Payload> Drop for Publisher<E, P> {
    fn drop(&mut self) {
        self.channel.close();
    }
}
