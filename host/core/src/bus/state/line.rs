//! Publishers that wait for room, in the order in which they came.

use std::{collections::VecDeque, task::Waker};

use crate::bus::effects::Effects;

/// Only the first may go next, even if a later one would fit sooner: so none starves.
#[derive(Default)]
pub(super) struct Line {
    waiting: VecDeque<Waiting>,
    next_ticket: u64,
}

pub(super) struct Waiting {
    pub(super) ticket: Ticket,
    pub(super) events: usize,
    /// Absent from being woken until the publisher asks again.
    waker: Option<Waker>,
}

/// A publisher's place in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bus) struct Ticket(u64);

impl Line {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn first(&self) -> Option<&Waiting> {
        self.waiting.front()
    }

    pub(super) fn join(&mut self, events: usize, waker: Waker) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.waiting.push_back(Waiting { ticket, events, waker: Some(waker) });
        ticket
    }

    pub(super) fn keep_waker<P>(
        &mut self,
        ticket: Ticket,
        waker: &Waker,
        effects: &mut Effects<P>,
    ) {
        let own = self.waiting.iter_mut().find(|waiting| waiting.ticket == ticket);
        if let Some(own) = own
            && !own.waker.as_ref().is_some_and(|old| old.will_wake(waker))
        {
            effects.forget(own.waker.replace(waker.clone()));
        }
    }

    pub(super) fn leave<P>(&mut self, ticket: Ticket, effects: &mut Effects<P>) {
        let place = self.waiting.iter().position(|waiting| waiting.ticket == ticket);
        if let Some(left) = place.and_then(|place| self.waiting.remove(place)) {
            effects.forget(left.waker);
        }
    }

    pub(super) fn call_first<P>(&mut self, effects: &mut Effects<P>) {
        if let Some(first) = self.waiting.front_mut() {
            effects.wake(first.waker.take());
        }
    }

    /// Wakes everyone: there is nothing to wait for any more.
    pub(super) fn dissolve<P>(&mut self, effects: &mut Effects<P>) {
        for waiting in self.waiting.drain(..) {
            effects.wake(waiting.waker);
        }
    }
}
