//! How a channel is named and declared.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// The name of a channel, as the host's configuration declares it. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName(Arc<str>);

impl ChannelName {
    /// The channel of this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for ChannelName {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

/// What a channel does with an event for which it has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overflow {
    /// The publisher waits for room. Nothing is lost; a slow subscriber slows its sources.
    #[default]
    Block,
    /// The oldest queued events make room. The dropped ones are counted.
    DropOldest,
    /// The event that found no room is dropped and counted.
    DropNewest,
    /// The publisher gets an error and keeps the event.
    Reject,
}

/// The declaration of one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelConfig {
    /// The most events that wait for one subscriber; at least 1.
    pub capacity: usize,
    /// What the channel carries, for people.
    #[serde(default)]
    pub description: String,
    /// What happens when a subscriber's queue is full.
    #[serde(default)]
    pub overflow: Overflow,
}

impl ChannelConfig {
    /// A channel of this capacity that makes publishers wait when it is full.
    pub fn new(capacity: usize, description: impl Into<String>) -> Self {
        Self { capacity, description: description.into(), overflow: Overflow::default() }
    }

    /// The same channel with another overflow policy.
    #[must_use]
    pub fn with_overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }
}

impl Default for ChannelConfig {
    /// 1024 events, no description, `block`.
    fn default() -> Self {
        Self::new(1024, "")
    }
}
