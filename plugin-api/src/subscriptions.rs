//! Receiving from any of several channels.

use std::{
    future::{Future, poll_fn},
    task::Poll,
};

use crate::{Batch, ChannelName, Subscription, TryRecvError};

/// Several subscriptions, of which each is received from in turn.
///
/// None of them starves, however much the others have: after one that delivered, the next one is
/// looked at first. [`Context::subscribe_all`](crate::Context::subscribe_all) makes one of an
/// input port.
///
/// ```
/// use hotbay_plugin_api::{prelude::*, testing::{TestHost, batch_of_bytes, block_on}};
///
/// let host = TestHost::new().with_input("in", "one").with_input("in", "other");
/// let mut inputs = host.context().subscribe_all("in")?;
/// host.feed("other", batch_of_bytes(&[(1, b"!")]));
/// host.end("one");
/// host.end("other");
/// let (index, batch) = block_on(inputs.recv()).expect("a batch");
/// assert_eq!((inputs.channel(index).as_str(), batch.len()), ("other", 1));
/// assert!(block_on(inputs.recv()).is_none(), "both have ended");
/// # Ok::<(), SchedulerError>(())
/// ```
#[derive(Debug)]
pub struct Subscriptions {
    inputs: Vec<Input>,
    /// The index of the one that is looked at first.
    turn: usize,
}

#[derive(Debug)]
struct Input {
    subscription: Subscription,
    has_ended: bool,
}

/// What came from one of several subscriptions.
#[derive(Debug)]
pub enum Received {
    /// A batch from the subscription at this index.
    Batch(usize, Batch),
    /// The channel of the subscription at this index has ended, and everything was delivered.
    Ended(usize),
}

impl Received {
    fn new(index: usize, batch: Option<Batch>) -> Self {
        batch.map_or(Self::Ended(index), |batch| Self::Batch(index, batch))
    }

    fn index(&self) -> usize {
        match self {
            Self::Batch(index, _) | Self::Ended(index) => *index,
        }
    }
}

impl Subscriptions {
    /// Makes one of these subscriptions, which have their index in this order.
    pub fn new(subscriptions: impl IntoIterator<Item = Subscription>) -> Self {
        let input = |subscription| Input { subscription, has_ended: false };
        Self { inputs: subscriptions.into_iter().map(input).collect(), turn: 0 }
    }

    /// Returns the number of subscriptions, also of those that have ended.
    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    /// Returns `true` if there is no subscription.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Returns the name of the channel of the subscription at `index`.
    ///
    /// # Panics
    /// If there is none at this index.
    pub fn channel(&self, index: usize) -> &ChannelName {
        self.inputs[index].subscription.channel()
    }

    /// Receives the next batch from any of the channels, with the index of its subscription.
    /// Returns `None` when all of them have ended and everything was delivered.
    ///
    /// No batch is lost if the future is dropped.
    pub async fn recv(&mut self) -> Option<(usize, Batch)> {
        let is_open = |_, input: &Input| !input.has_ended;
        while self.inputs.iter().any(|input| !input.has_ended) {
            // To wait for several takes a future for each, which a batch that is there need not pay.
            let received = match self.try_recv_where(is_open) {
                Some(received) => received,
                None => self.recv_where(is_open).await,
            };
            if let Received::Batch(index, batch) = received {
                return Some((index, batch));
            }
        }
        None
    }

    /// Receives from one of the subscriptions that `wanted` selects by their index: a batch, or the
    /// end of its channel. A subscription whose channel has ended says so each time, so leave it
    /// out from then on. Waits for ever if none is wanted.
    ///
    /// No batch is lost if the future is dropped.
    pub async fn recv_from(&mut self, wanted: impl Fn(usize) -> bool) -> Received {
        self.recv_where(|index, _| wanted(index)).await
    }

    /// Receives from one of the subscriptions that `wanted` selects by their index, without
    /// waiting. Returns `None` if there is nothing at the moment.
    pub fn try_recv_from(&mut self, wanted: impl Fn(usize) -> bool) -> Option<Received> {
        self.try_recv_where(|index, _| wanted(index))
    }

    /// Returns the index of the subscription that is looked at first; a part of the state that a
    /// component saves if the order in which it receives matters.
    pub fn turn(&self) -> usize {
        self.turn
    }

    /// Sets the subscription that is looked at first, by its index.
    pub fn set_turn(&mut self, turn: usize) {
        self.turn = turn.min(self.inputs.len().saturating_sub(1));
    }

    async fn recv_where(&mut self, wanted: impl Fn(usize, &Input) -> bool) -> Received {
        let turn = self.turn;
        let (before, from) = self.inputs.split_at_mut(turn);
        let in_turn = from.iter_mut().zip(turn..).chain(before.iter_mut().zip(0..));
        let mut waits: Vec<_> = in_turn
            .filter(|(input, index)| wanted(*index, input))
            .map(|(input, index)| {
                let wait = input.subscription.recv();
                Box::pin(async move { Received::new(index, wait.await) })
            })
            .collect();
        let received = poll_fn(|cx| {
            let ready = waits.iter_mut().find_map(|wait| match wait.as_mut().poll(cx) {
                Poll::Ready(received) => Some(received),
                Poll::Pending => None,
            });
            ready.map_or(Poll::Pending, Poll::Ready)
        })
        .await;
        drop(waits);
        self.note(received)
    }

    fn try_recv_where(&mut self, wanted: impl Fn(usize, &Input) -> bool) -> Option<Received> {
        for index in (self.turn..self.inputs.len()).chain(0..self.turn) {
            let input = &mut self.inputs[index];
            if !wanted(index, input) {
                continue;
            }
            let received = match input.subscription.try_recv() {
                Ok(batch) => Received::Batch(index, batch),
                Err(TryRecvError::Ended) => Received::Ended(index),
                Err(TryRecvError::Empty) => continue,
            };
            return Some(self.note(received));
        }
        None
    }

    fn note(&mut self, received: Received) -> Received {
        let index = received.index();
        self.turn = (index + 1) % self.inputs.len();
        self.inputs[index].has_ended |= matches!(received, Received::Ended(_));
        received
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestHost, batch_of_bytes, block_on};

    #[test]
    fn no_subscription_starves_and_the_end_comes_when_all_have_ended() {
        let host = TestHost::new().with_input("in", "a").with_input("in", "b");
        let mut inputs = host.context().subscribe_all("in").unwrap();
        for _ in 0..3 {
            host.feed("a", batch_of_bytes(&[(1, b"a")]));
            host.feed("b", batch_of_bytes(&[(1, b"b")]));
        }
        host.end("a");
        host.feed("b", batch_of_bytes(&[(1, b"b")]));
        host.end("b");
        let order = std::iter::from_fn(|| block_on(inputs.recv()).map(|(index, _)| index));
        assert_eq!(order.collect::<Vec<_>>(), [0, 1, 0, 1, 0, 1, 1]);
    }

    #[test]
    fn what_is_not_wanted_stays_queued() {
        let host = TestHost::new().with_input("in", "a").with_input("in", "b");
        let mut inputs = host.context().subscribe_all("in").unwrap();
        host.feed("a", batch_of_bytes(&[(1, b"a")]));
        assert!(inputs.try_recv_from(|index| index == 1).is_none());
        host.end("b");
        let received = block_on(inputs.recv_from(|index| index == 1));
        assert!(matches!(received, Received::Ended(1)));
        assert!(matches!(inputs.try_recv_from(|_| true), Some(Received::Batch(0, _))));
    }
}
