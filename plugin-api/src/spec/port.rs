//! The inputs and outputs of a component.

use serde::{Deserialize, Serialize};

use super::EventTypeSpec;

/// One input or output of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortManifest {
    /// The port's name, unique in its component and direction.
    pub name: String,
    /// One line for people.
    #[serde(default)]
    pub description: String,
    /// Whether it must be connected.
    pub required: bool,
    /// The types of the events that it carries; empty if it does not tell them.
    #[serde(default)]
    pub events: Vec<EventTypeSpec>,
}
