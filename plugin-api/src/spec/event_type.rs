//! The types of the events that a port carries.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One type of event, as a plugin's manifest describes it.
///
/// Two ports mean the same type if name and version are the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTypeSpec {
    /// The name of the type, such as `acme.feed/quote`.
    pub name: String,
    /// The version of the type.
    pub version: u32,
    /// The JSON Schema of one event.
    #[serde(default)]
    pub schema: serde_json::Value,
}

impl EventTypeSpec {
    /// Returns `true` if both describe the same version of the same type.
    pub fn is_same_type(&self, other: &Self) -> bool {
        (&self.name, self.version) == (&other.name, other.version)
    }
}

impl fmt::Display for EventTypeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.version)
    }
}
