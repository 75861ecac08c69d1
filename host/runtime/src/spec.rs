//! What a component, or a run of a task, is made of.

use std::collections::BTreeMap;

use hotbay_config::StatePolicy;
use hotbay_plugin_api::ChannelName;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::ComponentSlot;

/// The channels that a component's ports are connected to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connections {
    /// The channels of each input port, in order.
    pub inputs: BTreeMap<String, Vec<ChannelName>>,
    /// The channels of each output port, in order.
    pub outputs: BTreeMap<String, Vec<ChannelName>>,
}

/// Describes one component, or one task, as the configuration and its plugin determine it.
#[derive(Debug, Clone)]
pub struct ComponentSpec {
    /// The name of the component or task in its plugin.
    pub name: String,
    /// The channels at the ports.
    pub connections: Connections,
    /// The configuration of the component or task.
    pub config: Value,
    /// Decides if a new build takes over the state of the previous one.
    pub state: StatePolicy,
}

impl ComponentSpec {
    /// Describes something without ports, such as a task.
    pub fn without_ports(name: impl Into<String>, config: Value) -> Self {
        let (connections, state) = (Connections::default(), StatePolicy::default());
        Self { name: name.into(), connections, config, state }
    }

    /// Returns `true` if the component has to be made again to become `other`.
    pub fn differs(&self, other: &Self) -> bool {
        self.name != other.name
            || self.connections != other.connections
            || self.config != other.config
    }
}

/// Everything that one build of a component, or one run, is made with.
#[derive(Debug, Clone)]
pub struct ComponentSetup {
    /// The slot of the component, which survives its builds.
    pub slot: ComponentSlot,
    /// The description of the component or task that is made.
    pub spec: ComponentSpec,
    /// Cancelled when the component is to stop.
    pub cancel: CancellationToken,
}
