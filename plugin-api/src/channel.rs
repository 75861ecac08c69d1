//! Names and declarations of channels.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// The name of a channel, as the host's configuration declares it. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName(Arc<str>);

impl ChannelName {
    /// Makes the name of a channel.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// Returns the name as text.
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

/// The policy of a channel for an event for which it has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "abi", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Overflow {
    /// The publisher waits for room. Nothing is lost; a slow subscriber slows its sources.
    #[default]
    Block,
    /// The oldest queued events make room. The dropped ones are counted.
    DropOldest,
    /// The event that found no room is dropped and counted.
    DropNewest,
    /// The publisher gets an error, and the events that found no room are not published. A plugin's
    /// `Publisher` drops them; `try_send` of the host's bus returns them.
    Reject,
}

/// The size and the purpose of one channel.
///
/// The policy for a full queue is set separately: see [`Overflow`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelConfig {
    /// The most events that wait for one subscriber; at least 1.
    pub capacity: usize,
    /// A description of what the channel carries.
    #[serde(default)]
    pub description: String,
}

impl ChannelConfig {
    /// Makes the configuration of a channel with this capacity.
    pub fn new(capacity: usize, description: impl Into<String>) -> Self {
        Self { capacity, description: description.into() }
    }
}

impl Default for ChannelConfig {
    /// Returns a capacity of 1024 events, without a description.
    fn default() -> Self {
        Self::new(1024, "")
    }
}
