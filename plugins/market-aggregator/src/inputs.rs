//! Receives from a selection of the subscribed channels.

use std::{
    future::{Future, poll_fn},
    task::Poll,
};

use hotbay_plugin_api::{Batch, ChannelName, Context, SchedulerError, Subscription, TryRecvError};

/// The sources' subscriptions, in the configured order of the sources.
#[derive(Debug)]
pub(crate) struct Inputs {
    subscriptions: Vec<Subscription>,
    /// The source to poll first: the one after the last that delivered, so that none starves.
    next: usize,
}

/// A batch from the source at an index, or the end of that source.
#[derive(Debug)]
pub(crate) enum Arrived {
    Batch(usize, Batch),
    Ended(usize),
}

impl Arrived {
    fn new(place: usize, batch: Option<Batch>) -> Self {
        batch.map_or(Self::Ended(place), |batch| Self::Batch(place, batch))
    }
}

impl Inputs {
    pub(crate) fn subscribe(
        context: &Context,
        sources: &[ChannelName],
    ) -> Result<Self, SchedulerError> {
        let subscriptions: Result<Vec<_>, _> =
            sources.iter().map(|source| context.subscribe(source)).collect();
        Ok(Self { subscriptions: subscriptions?, next: 0 })
    }

    /// Returns the index of the source that is polled first.
    pub(crate) fn next(&self) -> usize {
        self.next
    }

    /// Restores the index of the source that is polled first, limited to the existing sources.
    pub(crate) fn resume(&mut self, next: usize) {
        self.next = next.min(self.subscriptions.len().saturating_sub(1));
    }

    /// Receives from a source that `wanted` selects, without waiting.
    pub(crate) fn try_take(&mut self, wanted: impl Fn(usize) -> bool) -> Option<Arrived> {
        let count = self.subscriptions.len();
        for place in (self.next..count).chain(0..self.next).filter(|place| wanted(*place)) {
            let arrived = match self.subscriptions[place].try_recv() {
                Ok(batch) => Arrived::Batch(place, batch),
                Err(TryRecvError::Ended) => Arrived::Ended(place),
                Err(TryRecvError::Empty) => continue,
            };
            self.next = (place + 1) % count;
            return Some(arrived);
        }
        None
    }

    /// Waits for one of the sources that `wanted` selects. Cancel safe: dropping it loses no batch.
    pub(crate) async fn take(&mut self, wanted: impl Fn(usize) -> bool) -> Arrived {
        let sources = self.subscriptions.iter_mut().enumerate();
        let mut waits: Vec<_> = sources
            .filter(|(place, _)| wanted(*place))
            .map(|(place, subscription)| {
                Box::pin(async move { Arrived::new(place, subscription.recv().await) })
            })
            .collect();
        poll_fn(|cx| {
            for wait in &mut waits {
                if let Poll::Ready(arrived) = wait.as_mut().poll(cx) {
                    return Poll::Ready(arrived);
                }
            }
            Poll::Pending
        })
        .await
    }
}
