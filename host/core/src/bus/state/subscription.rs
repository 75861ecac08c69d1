//! One subscriber's queue and account.

use std::{collections::VecDeque, task::Waker};

use hotbay_plugin_api::Overflow;

use super::count;
use crate::bus::{SubscriptionId, SubscriptionStats, effects::Effects};

pub(super) struct Subscription<P> {
    pub(super) id: SubscriptionId,
    queue: VecDeque<Queued<P>>,
    /// The number of events in the payloads of the queue.
    pub(super) queued: usize,
    pub(super) account: Account,
    pub(super) waker: Option<Waker>,
    /// The receiver came back and found nothing since it took its last payload, so
    /// that payload is dealt with.
    pub(super) settled: bool,
}

/// The number is kept, so that the accounts are exact even if a payload should
/// change its mind about how many events it carries.
struct Queued<P> {
    payload: P,
    events: usize,
}

/// Where the events owed to a subscription went, as far as they have gone.
#[derive(Debug, Clone, Default)]
pub(super) struct Account {
    pub(super) owed: u64,
    pub(super) delivered: u64,
    pub(super) dropped_oldest: u64,
    pub(super) dropped_newest: u64,
    pub(super) dropped_unsubscribed: u64,
}

impl<P> Subscription<P> {
    pub(super) fn new(id: SubscriptionId) -> Self {
        Self {
            id,
            queue: VecDeque::new(),
            queued: 0,
            account: Account::default(),
            waker: None,
            settled: false,
        }
    }

    pub(super) fn has_room(&self, events: usize, capacity: usize) -> bool {
        self.queued + events <= capacity
    }

    /// Enters the events as owed, and whether they can be [pushed](Self::push).
    pub(super) fn make_room(
        &mut self,
        events: usize,
        capacity: usize,
        overflow: Overflow,
        effects: &mut Effects<P>,
    ) -> bool {
        self.account.owed += count(events);
        match overflow {
            // For these two there is room in all queues, or nothing is published.
            Overflow::Block | Overflow::Reject => {}
            Overflow::DropNewest if !self.has_room(events, capacity) => {
                self.account.dropped_newest += count(events);
                return false;
            }
            Overflow::DropNewest => {}
            Overflow::DropOldest => {
                while !self.has_room(events, capacity)
                    && let Some(oldest) = self.queue.pop_front()
                {
                    self.queued -= oldest.events;
                    self.account.dropped_oldest += count(oldest.events);
                    effects.discard(oldest.payload);
                }
            }
        }
        true
    }

    pub(super) fn push(&mut self, payload: P, events: usize, effects: &mut Effects<P>) {
        self.queue.push_back(Queued { payload, events });
        self.queued += events;
        self.settled = false;
        effects.wake(self.waker.take());
    }

    pub(super) fn take(&mut self) -> Option<P> {
        let Queued { payload, events } = self.queue.pop_front()?;
        self.queued -= events;
        self.account.delivered += count(events);
        self.settled = false;
        Some(payload)
    }

    pub(super) fn park(&mut self, waker: &Waker, effects: &mut Effects<P>) {
        self.settled = true;
        if !self.waker.as_ref().is_some_and(|old| old.will_wake(waker)) {
            effects.forget(self.waker.replace(waker.clone()));
        }
    }

    /// The final account; what is queued is dropped.
    pub(super) fn retire(self, effects: &mut Effects<P>) -> Account {
        effects.forget(self.waker);
        let mut account = self.account;
        account.dropped_unsubscribed += count(self.queued);
        for queued in self.queue {
            effects.discard(queued.payload);
        }
        account
    }

    pub(super) fn stats(&self) -> SubscriptionStats {
        SubscriptionStats {
            id: self.id,
            owed: self.account.owed,
            delivered: self.account.delivered,
            dropped_oldest: self.account.dropped_oldest,
            dropped_newest: self.account.dropped_newest,
            queued: count(self.queued),
        }
    }
}

impl Account {
    pub(super) fn add(&mut self, other: &Self) {
        self.owed += other.owed;
        self.delivered += other.delivered;
        self.dropped_oldest += other.dropped_oldest;
        self.dropped_newest += other.dropped_newest;
        self.dropped_unsubscribed += other.dropped_unsubscribed;
    }

    /// Events that are no longer queued.
    pub(super) fn taken(&self) -> u64 {
        self.delivered + self.dropped_oldest + self.dropped_newest + self.dropped_unsubscribed
    }
}
