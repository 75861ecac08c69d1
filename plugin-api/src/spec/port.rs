//! The inputs and outputs of a component.

use serde::{Deserialize, Serialize};

use super::EventTypeSpec;

/// One input or output of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortManifest {
    /// The port's name, unique in its component and direction.
    pub name: String,
    /// A description in one line.
    #[serde(default)]
    pub description: String,
    /// The port has to be connected.
    pub required: bool,
    /// The types of the events that the port carries; empty if it does not name them.
    #[serde(default)]
    pub events: Vec<EventTypeSpec>,
}
