//! A subscription whose payloads can be received again.

use std::{
    collections::VecDeque,
    fmt,
    task::{Context, Poll, ready},
};

use hotbay_plugin_api::{EventType, Overflow};

use super::{EventReceiver, Payload, SubscriptionId, TryRecvError};

/// The most payloads that an input keeps.
const MAX_KEPT: usize = 1 << 16;

/// The most bytes of payloads that an input keeps. A single payload is always kept.
const MAX_KEPT_BYTES: usize = 64 << 20;

/// An input of a task: a subscription that outlives the builds of the task.
///
/// While a new build is on probation, the input keeps a copy of what it hands out until
/// that is [settled](Self::settle). If the build fails, [`give_back`](Self::give_back) makes
/// the build before it receive the same payloads again, in the same order and before
/// everything that is still queued. An input that would have to keep too much
/// [gives up](Self::has_given_up): there is no way back then. All inputs of all tasks are of this
/// type, so this is the only place that redelivers.
pub struct Input<E: EventType, P: Payload = String> {
    receiver: EventReceiver<E, P>,
    keeping: Keeping,
    /// Payloads that were handed out and are not settled; empty unless the input keeps them.
    kept: VecDeque<P>,
    /// The number of bytes of the payloads in `kept`.
    kept_bytes: usize,
    /// Payloads that were given back, to be handed out before those that the receiver has.
    again: VecDeque<P>,
}

/// Decides if an input keeps the payloads that it delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeping {
    No,
    UntilSettled,
    /// The input would have had to keep too much, so it keeps nothing any more.
    GivenUp,
}

impl<E: EventType, P: Payload> Input<E, P> {
    /// Creates an input that keeps nothing.
    pub fn new(receiver: EventReceiver<E, P>) -> Self {
        Self {
            receiver,
            keeping: Keeping::No,
            kept: VecDeque::new(),
            kept_bytes: 0,
            again: VecDeque::new(),
        }
    }

    /// Keeps what is handed out from now on.
    pub fn start_keeping(&mut self) {
        self.keeping = Keeping::UntilSettled;
    }

    /// Keeps nothing from now on; what was handed out is settled.
    pub fn stop_keeping(&mut self) {
        self.keeping = Keeping::No;
        self.settle();
    }

    /// Returns `true` if what is handed out is kept.
    pub fn is_keeping(&self) -> bool {
        self.keeping == Keeping::UntilSettled
    }

    /// Returns `true` if more was handed out than is kept, since keeping was started.
    pub fn has_given_up(&self) -> bool {
        self.keeping == Keeping::GivenUp
    }

    /// Drops what is kept: the task has dealt with everything that it received so far.
    pub fn settle(&mut self) {
        self.kept.clear();
        self.kept_bytes = 0;
    }

    /// Hands out again what is kept, in its order, and keeps nothing from now on.
    pub fn give_back(&mut self) {
        self.keeping = Keeping::No;
        let given_back = std::mem::take(&mut self.kept);
        self.kept_bytes = 0;
        for payload in given_back.into_iter().rev() {
            self.again.push_front(payload);
        }
    }

    /// Returns the next payload, if there is one now.
    ///
    /// # Errors
    /// Says whether there can ever be another one.
    pub fn try_recv(&mut self) -> Result<P, TryRecvError> {
        let payload = match self.again.pop_front() {
            Some(payload) => payload,
            None => self.receiver.try_recv()?,
        };
        Ok(self.hand_out(payload))
    }

    /// Waits for the next payload; `None` once the channel is closed and everything was
    /// received. Cancel-safe as [`EventReceiver::recv`].
    pub async fn recv(&mut self) -> Option<P> {
        let payload = match self.again.pop_front() {
            Some(payload) => payload,
            None => self.receiver.recv().await?,
        };
        Some(self.hand_out(payload))
    }

    /// [`recv`](Self::recv) for hand-written futures; see [`EventReceiver::poll_recv`].
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<P>> {
        let payload = match self.again.pop_front() {
            Some(payload) => payload,
            None => match ready!(self.receiver.poll_recv(cx)) {
                Some(payload) => payload,
                None => return Poll::Ready(None),
            },
        };
        Poll::Ready(Some(self.hand_out(payload)))
    }

    /// Returns which of the channel's subscriptions this is.
    pub fn id(&self) -> SubscriptionId {
        self.receiver.id()
    }

    /// Returns the event that names the channel.
    pub fn event(&self) -> &E {
        self.receiver.event()
    }

    /// Tells if publishers wait for this input when its queue is full. Then nothing is lost while
    /// nobody reads it.
    pub fn is_waited_for(&self) -> bool {
        self.receiver.overflow() == Overflow::Block
    }

    fn hand_out(&mut self, payload: P) -> P {
        if self.is_keeping() {
            self.kept_bytes = self.kept_bytes.saturating_add(payload.bytes());
            self.kept.push_back(payload.clone());
            let is_too_much = self.kept.len() > MAX_KEPT || self.kept_bytes > MAX_KEPT_BYTES;
            if is_too_much && self.kept.len() > 1 {
                self.keeping = Keeping::GivenUp;
                self.kept = VecDeque::new();
                self.kept_bytes = 0;
            }
        }
        payload
    }
}

impl<E: EventType, P: Payload> fmt::Debug for Input<E, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("receiver", &self.receiver)
            .field("keeping", &self.keeping)
            .field("kept", &self.kept.len())
            .field("again", &self.again.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChannelConfig, EventBus};

    #[derive(Debug, Clone)]
    struct Large;

    impl Payload for Large {
        fn bytes(&self) -> usize {
            MAX_KEPT_BYTES - 1
        }
    }

    fn input(published: &[u32]) -> Input<&'static str, u32> {
        let bus = EventBus::with_payload(vec![("ticks", ChannelConfig::default())]);
        let input = Input::new(bus.subscribe(&"ticks").unwrap());
        let sender = bus.clone_sender(&"ticks").unwrap();
        published.iter().for_each(|number| sender.try_send(*number).unwrap());
        input
    }

    fn received(input: &mut Input<&'static str, u32>) -> Vec<u32> {
        std::iter::from_fn(|| input.try_recv().ok()).collect()
    }

    #[test]
    fn what_was_received_and_not_settled_comes_again_in_its_order_before_the_rest() {
        let mut input = input(&[1, 2, 3, 4]);
        input.start_keeping();
        assert_eq!(input.try_recv(), Ok(1));
        input.settle();
        assert_eq!((input.try_recv(), input.try_recv()), (Ok(2), Ok(3)));
        input.give_back();
        assert_eq!(received(&mut input), [2, 3, 4]);
    }

    #[test]
    fn what_comes_again_can_come_a_third_time() {
        let mut input = input(&[1, 2, 3]);
        input.start_keeping();
        assert_eq!((input.try_recv(), input.try_recv()), (Ok(1), Ok(2)));
        input.give_back();
        input.start_keeping();
        assert_eq!(input.try_recv(), Ok(1));
        input.give_back();
        assert_eq!(received(&mut input), [1, 2, 3]);
    }

    #[test]
    fn an_input_that_does_not_keep_gives_nothing_back() {
        let mut input = input(&[1, 2]);
        assert_eq!(input.try_recv(), Ok(1));
        input.give_back();
        assert_eq!(received(&mut input), [2]);
    }

    #[test]
    fn an_input_that_would_keep_too_much_gives_up_and_keeps_nothing() {
        let bus = EventBus::with_payload(vec![("large", ChannelConfig::default())]);
        let mut input = Input::new(bus.subscribe(&"large").unwrap());
        let sender = bus.clone_sender(&"large").unwrap();
        let receive = |input: &mut Input<&'static str, Large>| {
            sender.try_send(Large).unwrap();
            input.try_recv().unwrap();
        };
        input.start_keeping();
        receive(&mut input);
        assert!(!input.has_given_up(), "a single one is kept, however large");
        receive(&mut input);
        assert!(input.has_given_up());
        input.give_back();
        assert!(input.try_recv().is_err(), "nothing comes again");
        input.start_keeping();
        assert!(!input.has_given_up(), "and it can begin anew");
    }

    #[test]
    fn an_input_keeps_a_bounded_number_of_payloads() {
        let bus = EventBus::with_payload(vec![("ticks", ChannelConfig::default())]);
        let mut input = Input::new(bus.subscribe(&"ticks").unwrap());
        let sender = bus.clone_sender(&"ticks").unwrap();
        input.start_keeping();
        for number in 0..=MAX_KEPT {
            assert!(!input.has_given_up(), "after {number}");
            sender.try_send(number).unwrap();
            input.try_recv().unwrap();
        }
        assert!(input.has_given_up());
    }

    #[tokio::test]
    async fn what_was_given_back_is_also_received_by_waiting_after_the_end_of_the_channel() {
        let mut input = input(&[1]);
        input.start_keeping();
        assert_eq!(input.recv().await, Some(1));
        assert_eq!(input.recv().await, None);
        input.give_back();
        assert_eq!(input.recv().await, Some(1));
        assert_eq!(input.recv().await, None);
    }
}
