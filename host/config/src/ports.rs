//! The connections between the ports of a component and channels.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::path::ConfigPath;

/// The channels that the inputs or the outputs of a component are connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ports {
    /// `spot` or `[spot, usdm]`: channels of the component's first declared port.
    First(Vec<String>),
    /// `{ events: spot }` or `{ sources: [spot, usdm] }`: channels by port, in the order of the
    /// file.
    Named(Vec<(String, Vec<String>)>),
}

impl Default for Ports {
    /// Returns a value without connections.
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

/// One connection between a port and a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortUse<'p> {
    /// The name of the port. `None` for the first declared one.
    pub port: Option<&'p str>,
    /// The index of the channel in the port's list, from 0.
    pub index: usize,
    /// The name of the channel.
    pub channel: &'p str,
}

impl PortUse<'_> {
    /// Returns the path of the channel's name. `ports` is the path of the value with the ports.
    pub fn path(&self, ports: &ConfigPath) -> ConfigPath {
        match self.port {
            Some(port) => ports.key(port).index(self.index),
            None => ports.index(self.index),
        }
    }
}

impl Ports {
    /// Returns all connections, in the order of the file.
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

    /// Returns the names of all channels, in the order of the file.
    pub fn channels(&self) -> impl Iterator<Item = &str> {
        self.uses().map(|used| used.channel)
    }

    /// Returns `true` if there are no connections.
    pub fn is_empty(&self) -> bool {
        self.uses().next().is_none()
    }
}

impl<'de> Deserialize<'de> for Ports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PortsVisitor)
    }
}

impl JsonSchema for Ports {
    fn schema_name() -> Cow<'static, str> {
        "Ports".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let channel = json_schema!({ "type": "string" });
        let channels = json_schema!({ "type": "array", "items": channel });
        let of_port = json_schema!({ "anyOf": [channel, channels, { "type": "null" }] });
        let by_port = json_schema!({ "type": "object", "additionalProperties": of_port });
        json_schema!({
            "anyOf": [channel, channels, by_port],
            "x-value": "a channel or a list of channels, for the first port; or a mapping from ports \
                        to these"
        })
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

/// The channels of one port.
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
