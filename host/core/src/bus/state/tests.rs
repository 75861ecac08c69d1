//! The channel's decisions under random operations, without threads.

use std::task::Waker;

use proptest::prelude::{Just, Strategy, prop, prop_oneof, proptest};

use super::*;

/// A payload that says its place in the order of publication.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Numbered {
    number: u64,
    events: usize,
}

impl Payload for Numbered {
    fn events(&self) -> usize {
        self.events
    }
}

#[derive(Debug, Clone)]
enum Op {
    Publish {
        events: usize,
    },
    /// A publisher in line asks again; which one is taken modulo their number.
    AskAgain {
        who: usize,
    },
    GiveUp {
        who: usize,
    },
    Subscribe,
    Unsubscribe {
        who: usize,
    },
    Take {
        who: usize,
    },
    Close,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        40 => (1_usize..6).prop_map(|events| Op::Publish { events }),
        20 => (0_usize..8).prop_map(|who| Op::AskAgain { who }),
        5 => (0_usize..8).prop_map(|who| Op::GiveUp { who }),
        3 => Just(Op::Subscribe),
        3 => (0_usize..8).prop_map(|who| Op::Unsubscribe { who }),
        40 => (0_usize..8).prop_map(|who| Op::Take { who }),
        1 => Just(Op::Close),
    ]
}

fn overflow() -> impl Strategy<Value = Overflow> {
    prop_oneof![
        Just(Overflow::Block),
        Just(Overflow::DropOldest),
        Just(Overflow::DropNewest),
        Just(Overflow::Reject),
    ]
}

/// A channel with its publishers and subscribers, and what ought to be true of it.
struct Model {
    state: State<Numbered>,
    overflow: Overflow,
    capacity: usize,
    next_number: u64,
    waiting: Vec<(Ticket, Numbered)>,
    subscribers: Vec<Subscriber>,
    published: u64,
    rejected: u64,
    closed: bool,
}

struct Subscriber {
    id: SubscriptionId,
    owed: Vec<Numbered>,
    seen: Vec<Numbered>,
}

impl Model {
    fn new(overflow: Overflow, capacity: usize) -> Self {
        Self {
            state: State::new(capacity, overflow),
            overflow,
            capacity,
            next_number: 0,
            waiting: Vec::new(),
            subscribers: Vec::new(),
            published: 0,
            rejected: 0,
            closed: false,
        }
    }

    fn apply(&mut self, op: &Op) {
        let mut effects = Effects::new();
        match *op {
            Op::Publish { events } => self.publish(events, &mut effects),
            Op::AskAgain { who } => self.ask_again(who, &mut effects),
            Op::GiveUp { who } => {
                if let Some(who) = pick(&self.waiting, who) {
                    self.state.leave_line(self.waiting.remove(who).0, &mut effects);
                }
            }
            Op::Subscribe => {
                let id = self.state.subscribe();
                self.subscribers.push(Subscriber { id, owed: vec![], seen: vec![] });
            }
            Op::Unsubscribe { who } => {
                if let Some(who) = pick(&self.subscribers, who) {
                    self.state.unsubscribe(self.subscribers.remove(who).id, &mut effects);
                }
            }
            Op::Take { who } => {
                if let Some(who) = pick(&self.subscribers, who) {
                    let subscriber = &mut self.subscribers[who];
                    subscriber.seen.extend(self.state.take(subscriber.id, &mut effects));
                }
            }
            Op::Close => {
                self.state.close(&mut effects);
                self.closed = true;
            }
        }
        effects.perform();
    }

    fn publish(&mut self, events: usize, effects: &mut Effects<Numbered>) {
        let payload = Numbered { number: self.next_number, events };
        self.next_number += 1;
        match self.state.publish(payload.clone(), events, effects) {
            Ok(()) => self.was_published(&payload),
            Err((Refusal::Full, _)) if self.overflow == Overflow::Block => {
                let ticket = self.state.line_up(events, Waker::noop().clone());
                self.waiting.push((ticket, payload));
            }
            Err((Refusal::Full, _)) => self.rejected += count(events),
            Err((Refusal::TooLarge, _)) => {
                assert!(events > self.capacity);
                self.rejected += count(events);
            }
            Err((Refusal::Closed, _)) => assert!(self.closed),
        }
    }

    fn ask_again(&mut self, who: usize, effects: &mut Effects<Numbered>) {
        let Some(who) = pick(&self.waiting, who) else { return };
        let (ticket, payload) = self.waiting.remove(who);
        match self.state.publish_waiting(ticket, payload.clone(), Waker::noop(), effects) {
            Ok(()) => {
                assert_eq!(who, 0, "only the first in line may publish");
                self.was_published(&payload);
            }
            Err((Refusal::Full, payload)) => self.waiting.insert(who, (ticket, payload)),
            Err((Refusal::Closed, _)) => assert!(self.closed),
            Err((Refusal::TooLarge, _)) => panic!("it was not too large when it lined up"),
        }
    }

    fn was_published(&mut self, payload: &Numbered) {
        self.published += count(payload.events);
        for subscriber in &mut self.subscribers {
            subscriber.owed.push(payload.clone());
        }
    }

    fn check(&self) {
        let stats = self.state.stats();
        assert_eq!((stats.published, stats.rejected), (self.published, self.rejected));
        let gone = stats.dropped_oldest + stats.dropped_newest + stats.dropped_unsubscribed;
        assert_eq!(stats.owed, stats.delivered + gone + stats.queued, "{stats:?}");
        assert!(stats.published <= stats.owed + stats.no_subscriber, "{stats:?}");
        let lossless = matches!(self.overflow, Overflow::Block | Overflow::Reject);
        if lossless {
            assert_eq!(stats.dropped_oldest + stats.dropped_newest, 0);
        }
        for (subscriber, stats) in self.subscribers.iter().zip(&stats.subscriptions) {
            assert_eq!(stats.id, subscriber.id);
            assert_eq!(stats.owed, sum(&subscriber.owed));
            assert_eq!(stats.delivered, sum(&subscriber.seen));
            let gone = stats.dropped_oldest + stats.dropped_newest;
            assert_eq!(stats.owed, stats.delivered + gone + stats.queued, "{stats:?}");
            assert!(stats.queued <= count(self.capacity), "{stats:?}");
            if lossless {
                assert!(subscriber.owed.starts_with(&subscriber.seen), "in order, without a gap");
            }
            let mut owed = subscriber.owed.iter();
            assert!(subscriber.seen.iter().all(|seen| owed.any(|one| one == seen)), "in order");
        }
    }
}

proptest! {
    #[test]
    fn every_event_is_counted_once_whatever_happens(
        overflow in overflow(),
        capacity in 1_usize..8,
        ops in prop::collection::vec(op(), 1..200),
    ) {
        let mut model = Model::new(overflow, capacity);
        for op in &ops {
            model.apply(op);
            model.check();
        }
    }
}

fn pick<T>(from: &[T], who: usize) -> Option<usize> {
    (!from.is_empty()).then(|| who % from.len())
}

fn sum(payloads: &[Numbered]) -> u64 {
    payloads.iter().map(|payload| count(payload.events)).sum()
}
