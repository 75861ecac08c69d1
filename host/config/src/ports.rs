//! Which channels the ports of a component are wired to.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::path::ConfigPath;

/// The channels at the inputs or the outputs of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ports {
    /// `spot` or `[spot, usdm]`: channels at the component's first declared port.
    First(Vec<String>),
    /// `{ events: spot }` or `{ sources: [spot, usdm] }`: channels by port, as written.
    Named(Vec<(String, Vec<String>)>),
}

impl Default for Ports {
    /// No port.
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

/// One channel at one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortUse<'p> {
    /// The port; none for the first declared one.
    pub port: Option<&'p str>,
    /// Which of the port's channels this is, from 0.
    pub index: usize,
    /// The channel's name.
    pub channel: &'p str,
}

impl PortUse<'_> {
    /// Where the channel stands, in the ports that stand at `ports`.
    pub fn path(&self, ports: &ConfigPath) -> ConfigPath {
        match self.port {
            Some(port) => ports.key(port).index(self.index),
            None => ports.index(self.index),
        }
    }
}

impl Ports {
    /// Every channel at every port, as written.
    pub fn uses(&self) -> impl Iterator<Item = PortUse<'_>> {
        let (first, named) = match self {
            Self::First(channels) => (Some((None, channels)), &[][..]),
            Self::Named(ports) => (None, &ports[..]),
        };
        let named = named.iter().map(|(port, channels)| (Some(port.as_str()), channels));
        first.into_iter().chain(named).flat_map(|(port, channels)| {
            let channels = channels.iter().enumerate();
            channels.map(move |(index, channel)| PortUse { port, index, channel })
        })
    }

    /// The names of the channels, as written.
    pub fn channels(&self) -> impl Iterator<Item = &str> {
        self.uses().map(|used| used.channel)
    }

    /// Whether nothing is wired.
    pub fn is_empty(&self) -> bool {
        self.uses().next().is_none()
    }
}

impl<'de> Deserialize<'de> for Ports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PortsVisitor)
    }
}

struct PortsVisitor;

impl<'de> Visitor<'de> for PortsVisitor {
    type Value = Ports;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a channel, a list of channels, or a mapping from ports to channels")
    }

    fn visit_unit<E>(self) -> Result<Ports, E> {
        Ok(Ports::default())
    }

    fn visit_str<E>(self, channel: &str) -> Result<Ports, E> {
        Ok(Ports::First(vec![channel.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Ports, A::Error> {
        ChannelsVisitor.visit_seq(items).map(|channels| Ports::First(channels.0))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ports, A::Error> {
        let mut ports = Vec::new();
        while let Some((port, Channels(channels))) = map.next_entry()? {
            ports.push((port, channels));
        }
        Ok(Ports::Named(ports))
    }
}

/// The channels at one port.
struct Channels(Vec<String>);

impl<'de> Deserialize<'de> for Channels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ChannelsVisitor)
    }
}

struct ChannelsVisitor;

impl<'de> Visitor<'de> for ChannelsVisitor {
    type Value = Channels;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a channel or a list of channels")
    }

    fn visit_unit<E>(self) -> Result<Channels, E> {
        Ok(Channels(Vec::new()))
    }

    fn visit_str<E>(self, channel: &str) -> Result<Channels, E> {
        Ok(Channels(vec![channel.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Channels, A::Error> {
        let mut channels = Vec::new();
        while let Some(channel) = items.next_element()? {
            channels.push(channel);
        }
        Ok(Channels(channels))
    }
}
