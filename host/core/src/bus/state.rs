//! What a channel decides, as plain state: no lock, no clock, nothing waits here.

mod line;
mod subscription;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    task::Waker,
};

use hotbay_plugin_api::Overflow;

use super::{
    Activity, ChannelStats, Payload, SubscriptionId, effects::Effects, error::TryRecvError,
};
pub(super) use line::Ticket;

use line::Line;
use subscription::{Account, Subscription};

/// One channel's queues, waiting publishers and accounts.
pub(super) struct State<P> {
    capacity: usize,
    overflow: Overflow,
    closed: bool,
    subscriptions: Vec<Subscription<P>>,
    line: Line,
    published: u64,
    rejected: u64,
    no_subscriber: u64,
    /// The accounts of subscriptions that are gone.
    retired: Account,
}

/// Why a payload was not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Full,
    Closed,
    TooLarge,
}

impl<P: Payload> State<P> {
    pub(super) fn new(capacity: usize, overflow: Overflow) -> Self {
        Self {
            capacity,
            overflow,
            closed: false,
            subscriptions: Vec::new(),
            line: Line::default(),
            published: 0,
            rejected: 0,
            no_subscriber: 0,
            retired: Account::default(),
        }
    }

    /// Publishes, or gives the payload back. A refusal for want of room leaves no trace
    /// under `block`: the publisher may try again, or [queue](Self::line_up).
    pub(super) fn publish(
        &mut self,
        payload: P,
        events: usize,
        effects: &mut Effects<P>,
    ) -> Result<(), (Refusal, P)> {
        if self.closed {
            return Err((Refusal::Closed, payload));
        }
        if events > self.capacity {
            self.rejected += count(events);
            return Err((Refusal::TooLarge, payload));
        }
        match self.overflow {
            // Not before those who wait already, even if this one would fit.
            Overflow::Block if !self.line.is_empty() || !self.has_room(events) => {
                Err((Refusal::Full, payload))
            }
            Overflow::Reject if !self.has_room(events) => {
                self.rejected += count(events);
                Err((Refusal::Full, payload))
            }
            Overflow::Block | Overflow::Reject | Overflow::DropOldest | Overflow::DropNewest => {
                self.deliver(payload, events, effects);
                Ok(())
            }
        }
    }

    /// The end of the line, for a publisher that found no room.
    pub(super) fn line_up(&mut self, events: usize, waker: Waker) -> Ticket {
        self.line.join(events, waker)
    }

    /// Publishes the payload of a waiting publisher if it is its turn and there is room.
    ///
    /// Unless the answer is [`Refusal::Full`], the ticket is used up.
    pub(super) fn publish_waiting(
        &mut self,
        ticket: Ticket,
        payload: P,
        waker: &Waker,
        effects: &mut Effects<P>,
    ) -> Result<(), (Refusal, P)> {
        if self.closed {
            // Closing clears the line, but one may have lined up just after.
            self.leave_line(ticket, effects);
            return Err((Refusal::Closed, payload));
        }
        match self.line.first() {
            Some(first) if first.ticket == ticket && self.has_room(first.events) => {
                let events = first.events;
                self.line.leave(ticket, effects);
                self.deliver(payload, events, effects);
                self.call_next(effects);
                Ok(())
            }
            _ => {
                self.line.keep_waker(ticket, waker, effects);
                Err((Refusal::Full, payload))
            }
        }
    }

    /// Takes a publisher that has given up out of the line.
    pub(super) fn leave_line(&mut self, ticket: Ticket, effects: &mut Effects<P>) {
        self.line.leave(ticket, effects);
        self.call_next(effects);
    }

    pub(super) fn subscribe(&mut self) -> SubscriptionId {
        // Unique in the process, so that ids of several channels can stand in one set.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = SubscriptionId(NEXT.fetch_add(1, Ordering::Relaxed));
        self.subscriptions.push(Subscription::new(id));
        id
    }

    pub(super) fn unsubscribe(&mut self, id: SubscriptionId, effects: &mut Effects<P>) {
        let Some(at) = self.subscriptions.iter().position(|one| one.id == id) else { return };
        let account = self.subscriptions.remove(at).retire(effects);
        self.retired.add(&account);
        self.call_next(effects);
    }

    /// The oldest payload queued for this subscription.
    pub(super) fn take(
        &mut self,
        id: SubscriptionId,
        effects: &mut Effects<P>,
    ) -> Result<P, TryRecvError> {
        let closed = self.closed;
        let Some(subscription) = self.subscription(id) else { return Err(TryRecvError::Ended) };
        let Some(payload) = subscription.take() else {
            subscription.settled |= closed;
            return Err(if closed { TryRecvError::Ended } else { TryRecvError::Empty });
        };
        self.call_next(effects);
        Ok(payload)
    }

    /// Keeps the waker of a receiver that found nothing.
    pub(super) fn await_payload(
        &mut self,
        id: SubscriptionId,
        waker: &Waker,
        effects: &mut Effects<P>,
    ) {
        if let Some(subscription) = self.subscription(id) {
            subscription.park(waker, effects);
        }
    }

    /// Forgets the waker of a receiver that no longer waits.
    pub(super) fn forget_waker(&mut self, id: SubscriptionId) -> Option<Waker> {
        self.subscription(id).and_then(|subscription| subscription.waker.take())
    }

    pub(super) fn close(&mut self, effects: &mut Effects<P>) {
        self.closed = true;
        self.line.dissolve(effects);
        for subscription in &mut self.subscriptions {
            effects.wake(subscription.waker.take());
        }
    }

    pub(super) fn stats(&self) -> ChannelStats {
        let mut sum = self.retired.clone();
        for subscription in &self.subscriptions {
            sum.add(&subscription.account);
        }
        ChannelStats {
            published: self.published,
            rejected: self.rejected,
            no_subscriber: self.no_subscriber,
            owed: sum.owed,
            delivered: sum.delivered,
            dropped_oldest: sum.dropped_oldest,
            dropped_newest: sum.dropped_newest,
            dropped_unsubscribed: sum.dropped_unsubscribed,
            queued: self.subscriptions.iter().map(|one| count(one.queued)).sum(),
            waiting_publishers: self.line.len(),
            closed: self.closed,
            subscriptions: self.subscriptions.iter().map(Subscription::stats).collect(),
        }
    }

    pub(super) fn add_activity(&self, activity: &mut Activity) {
        activity.published += self.published;
        activity.taken += self.retired.taken();
        for subscription in &self.subscriptions {
            activity.taken += subscription.account.taken();
            if subscription.queued > 0 || !subscription.settled {
                activity.unsettled.push(subscription.id);
            }
        }
    }

    fn has_room(&self, events: usize) -> bool {
        self.subscriptions.iter().all(|one| one.has_room(events, self.capacity))
    }

    fn deliver(&mut self, payload: P, events: usize, effects: &mut Effects<P>) {
        self.published += count(events);
        let Some((last, others)) = self.subscriptions.split_last_mut() else {
            self.no_subscriber += count(events);
            effects.discard(payload);
            return;
        };
        for other in others {
            if other.make_room(events, self.capacity, self.overflow, effects) {
                other.push(payload.clone(), events, effects);
            }
        }
        if last.make_room(events, self.capacity, self.overflow, effects) {
            last.push(payload, events, effects);
        } else {
            effects.discard(payload);
        }
    }

    /// Wakes the first in line if it can go now.
    fn call_next(&mut self, effects: &mut Effects<P>) {
        if self.line.first().is_some_and(|first| self.has_room(first.events)) {
            self.line.call_first(effects);
        }
    }

    fn subscription(&mut self, id: SubscriptionId) -> Option<&mut Subscription<P>> {
        self.subscriptions.iter_mut().find(|one| one.id == id)
    }
}

/// As the accounts count: a `usize` always fits.
fn count(events: usize) -> u64 {
    events as u64
}

#[cfg(test)]
mod tests;
