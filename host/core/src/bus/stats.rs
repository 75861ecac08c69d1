//! The accounts of a channel, which tell of every event where it is, and count each one once.

use std::fmt;

/// Names one subscription; never used twice within a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId(pub(super) u64);

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// The numbers of events that went through one channel, all taken at one moment.
///
/// An event that is published is *owed* to each of the subscriptions that exist then.
/// At every moment, however many threads publish and receive:
///
/// ```text
/// owed = delivered + dropped_oldest + dropped_newest + dropped_unsubscribed + queued
/// ```
///
/// in sum over all subscriptions, those that are gone included, and for each one of them.
/// With one subscription from the beginning to the end, `published = owed`; in general
/// `published - no_subscriber <= owed`, each event being owed at least once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChannelStats {
    /// Events that the channel took.
    pub published: u64,
    /// Events that it refused, which their publishers kept: `reject` without room, or
    /// payloads larger than the capacity.
    pub rejected: u64,
    /// Published events that nobody was subscribed to.
    pub no_subscriber: u64,
    /// Events that subscriptions, past and present, had a right to.
    pub owed: u64,
    /// Events that were handed to a receiver.
    pub delivered: u64,
    /// Events that made room for newer ones (`drop-oldest`).
    pub dropped_oldest: u64,
    /// Events that found no room (`drop-newest`).
    pub dropped_newest: u64,
    /// Events still queued when their receiver was dropped.
    pub dropped_unsubscribed: u64,
    /// Events that wait in the queues now.
    pub queued: u64,
    /// Publishers that wait for room now.
    pub waiting_publishers: usize,
    /// Tells if the channel has ended.
    pub closed: bool,
    /// The present subscriptions, oldest first.
    pub subscriptions: Vec<SubscriptionStats>,
}

impl ChannelStats {
    /// Returns how many events did not reach a subscription, for whatever reason.
    pub fn dropped(&self) -> u64 {
        self.no_subscriber + self.dropped_oldest + self.dropped_newest + self.dropped_unsubscribed
    }
}

/// The account of one present subscription, in events.
///
/// At every moment `owed = delivered + dropped_oldest + dropped_newest + queued`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionStats {
    /// The number of the subscription.
    pub id: SubscriptionId,
    /// Events published since it began.
    pub owed: u64,
    /// Events handed to its receiver.
    pub delivered: u64,
    /// Events that made room for newer ones.
    pub dropped_oldest: u64,
    /// Events that found no room.
    pub dropped_newest: u64,
    /// Events that wait in its queue now.
    pub queued: u64,
}

/// The activity of a bus.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// Events published on all channels.
    pub(crate) published: u64,
    /// Events taken from all queues, delivered or dropped.
    pub(crate) taken: u64,
    /// Subscriptions with something queued, or whose receiver is not known to have
    /// come back for more since it took the last.
    pub(crate) unsettled: Vec<SubscriptionId>,
}
