//! An event bus of named, bounded channels between tasks.
//!
//! A channel is declared with a capacity and an [`Overflow`] policy. Every subscriber
//! has its own queue of that capacity, counted in *events*: a payload may carry many
//! ([`Payload::events`]). One short lock per channel decides about a payload for all
//! subscribers at once, so they all see the same order, whoever publishes.
//!
//! | policy | an event finds no room |
//! |---|---|
//! | `block` | the publisher waits, first come first served, until *every* subscriber has room |
//! | `reject` | the publisher gets an error; *no* subscriber gets the event |
//! | `drop-oldest` | the subscriber without room loses its oldest payloads |
//! | `drop-newest` | the subscriber without room misses this payload |
//!
//! Nothing is lost without being counted; see [`ChannelStats`] for the balance that
//! holds at every moment.

mod channel;
mod effects;
mod error;
mod input;
mod motion;
mod receiver;
mod sender;
mod state;
mod stats;
mod waits;

use std::{collections::HashMap, fmt, sync::Arc};

use hotbay_plugin_api::{ChannelConfig, EventType, Overflow, SchedulerError};
use parking_lot::RwLock;

pub use error::TryRecvError;
pub use hotbay_plugin_api::Payload;
pub use receiver::EventReceiver;
pub use sender::{EventSender, TrySendError};
pub use stats::{ChannelStats, SubscriptionId, SubscriptionStats};

pub use input::Input;
pub(crate) use motion::Observer;
pub(crate) use stats::Activity;
pub use waits::WaitsFor;

use channel::{Channel, Publisher};
use motion::Motion;

/// The channels of one program, by event. Clones are handles to the same bus.
///
/// A channel ends when it is [closed](Self::close), or when the last handle of the bus
/// and the last of the channel's senders are dropped.
pub struct EventBus<E: EventType, P: Payload = String> {
    channels: Arc<RwLock<Channels<E, P>>>,
    motion: Arc<Motion>,
}

/// In the order of their declaration, with an index by event.
struct Channels<E: EventType, P: Payload> {
    declared: Vec<Arc<Publisher<E, P>>>,
    index: HashMap<E, usize>,
}

impl<E: EventType> EventBus<E> {
    /// Creates a bus with these channels, carrying `String`s. Publishers wait when a channel is
    /// full; for another [`Overflow`] see [`declare_with`](Self::declare_with).
    ///
    /// The payload is fixed here so that it need not be spelled out; for another
    /// payload see [`with_payload`](Self::with_payload).
    ///
    /// # Panics
    /// If a capacity is 0 or an event is declared twice. Where the declarations come from
    /// outside the program use [`try_new`](Self::try_new).
    pub fn new(channels: Vec<(E, ChannelConfig)>) -> Self {
        Self::with_payload(channels)
    }

    /// Creates a bus with these channels, carrying `String`s.
    ///
    /// # Errors
    /// [`SchedulerError::Configuration`] if a capacity is 0 or an event is declared twice.
    pub fn try_new(channels: Vec<(E, ChannelConfig)>) -> Result<Self, SchedulerError> {
        Self::try_with_payload(channels)
    }
}

impl<E: EventType, P: Payload> EventBus<E, P> {
    /// Creates a bus with these channels, carrying `P`: `EventBus::<Event, Batch>::with_payload(…)`.
    ///
    /// # Panics
    /// If a capacity is 0 or an event is declared twice.
    #[expect(clippy::panic, reason = "a wrong literal in the program; `try_` is for input")]
    pub fn with_payload(channels: Vec<(E, ChannelConfig)>) -> Self {
        match Self::try_with_payload(channels) {
            Ok(bus) => bus,
            Err(error) => panic!("{error}"),
        }
    }

    /// Creates a bus with these channels, carrying `P`.
    ///
    /// # Errors
    /// [`SchedulerError::Configuration`] if a capacity is 0 or an event is declared twice.
    pub fn try_with_payload(channels: Vec<(E, ChannelConfig)>) -> Result<Self, SchedulerError> {
        let none = Channels { declared: Vec::new(), index: HashMap::new() };
        let bus = Self { channels: Arc::new(RwLock::new(none)), motion: Arc::default() };
        for (event, config) in channels {
            bus.declare(event, config)?;
        }
        Ok(bus)
    }

    /// Adds a channel to a bus in use. Its publishers wait when it is full.
    ///
    /// # Errors
    /// [`SchedulerError::Configuration`] if the capacity is 0 or the event is declared already.
    pub fn declare(&self, event: E, config: ChannelConfig) -> Result<(), SchedulerError> {
        self.declare_with(event, config, Overflow::Block)
    }

    /// Adds a channel with an overflow policy of its own to a bus in use.
    ///
    /// # Errors
    /// The same as those of [`declare`](Self::declare).
    pub fn declare_with(
        &self,
        event: E,
        config: ChannelConfig,
        overflow: Overflow,
    ) -> Result<(), SchedulerError> {
        if config.capacity == 0 {
            let text = format!("channel {event:?} has capacity 0; it must be at least 1");
            return Err(SchedulerError::Configuration(text));
        }
        let mut channels = self.channels.write();
        if channels.index.contains_key(&event) {
            let text = format!("channel {event:?} is declared twice");
            return Err(SchedulerError::Configuration(text));
        }
        let next = channels.declared.len();
        channels.index.insert(event.clone(), next);
        let channel = Channel::new(event, config, overflow, Arc::clone(&self.motion));
        channels.declared.push(Arc::new(Publisher::new(channel)));
        Ok(())
    }

    /// Takes a declaration back that nobody has used yet: the event is unknown again.
    /// Receivers and senders that exist all the same come to the channel's end.
    ///
    /// # Errors
    /// [`SchedulerError::InvalidChannel`] if the event is not declared.
    pub fn withdraw(&self, event: &E) -> Result<(), SchedulerError> {
        self.close(event)?;
        let mut channels = self.channels.write();
        if let Some(place) = channels.index.remove(event) {
            drop(channels.declared.remove(place));
            channels.index.values_mut().filter(|at| **at > place).for_each(|at| *at -= 1);
        }
        Ok(())
    }

    /// Returns a sender to the channel. Any number may exist.
    ///
    /// # Errors
    /// [`SchedulerError::InvalidChannel`] if the event was never declared.
    pub fn clone_sender(&self, event: &E) -> Result<EventSender<E, P>, SchedulerError> {
        Ok(EventSender::new(self.find(event)?))
    }

    /// Subscribes to the channel: the receiver gets everything that is published from now on.
    ///
    /// Subscribing to a closed channel gives a receiver that is at its end.
    ///
    /// # Errors
    /// [`SchedulerError::InvalidChannel`] if the event was never declared.
    pub fn subscribe(&self, event: &E) -> Result<EventReceiver<E, P>, SchedulerError> {
        Ok(EventReceiver::new(Arc::clone(self.find(event)?.channel())))
    }

    /// Returns what went through the channel until now, at one moment.
    ///
    /// # Errors
    /// [`SchedulerError::InvalidChannel`] if the event was never declared.
    pub fn stats(&self, event: &E) -> Result<ChannelStats, SchedulerError> {
        Ok(self.find(event)?.channel().stats())
    }

    /// Returns the declared channels, in the order of their declaration.
    pub fn channels(&self) -> Vec<(E, ChannelConfig)> {
        let declaration = |publisher: &Arc<Publisher<E, P>>| {
            let channel = publisher.channel();
            (channel.event().clone(), channel.config().clone())
        };
        self.channels.read().declared.iter().map(declaration).collect()
    }

    /// Ends a channel: later sends fail, and so do those waiting for room; receivers get
    /// what is queued and then their end. Closing twice is the same as once.
    ///
    /// # Errors
    /// [`SchedulerError::InvalidChannel`] if the event was never declared.
    pub fn close(&self, event: &E) -> Result<(), SchedulerError> {
        self.find(event)?.channel().close();
        Ok(())
    }

    /// Observes the bus: see [`Observer::changed`].
    pub(crate) fn observe(&self) -> Observer {
        self.motion.observe()
    }

    /// Returns what moves on the bus, for deciding whether it has come to rest.
    pub(crate) fn activity(&self) -> Activity {
        let mut activity = Activity::default();
        // A copy, so that the lock is not held while each channel is locked in turn.
        let publishers = self.channels.read().declared.clone();
        for publisher in publishers {
            publisher.channel().add_activity(&mut activity);
        }
        activity
    }

    fn find(&self, event: &E) -> Result<Arc<Publisher<E, P>>, SchedulerError> {
        let channels = self.channels.read();
        let found = channels.index.get(event).and_then(|&at| channels.declared.get(at));
        found.cloned().ok_or_else(|| SchedulerError::InvalidChannel(format!("{event:?}")))
    }
}

impl<E: EventType, P: Payload> Clone for EventBus<E, P> {
    fn clone(&self) -> Self {
        Self { channels: Arc::clone(&self.channels), motion: Arc::clone(&self.motion) }
    }
}

impl<E: EventType, P: Payload> fmt::Debug for EventBus<E, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.channels().into_iter().map(|(event, config)| (event, config.capacity));
        f.debug_map().entries(entries).finish()
    }
}

#[cfg(test)]
mod tests;
