//! The manifest of a plugin, which is its description of itself.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Handover, PortManifest, TaskKindSpec, TaskSpec, fields::is_default};
use crate::Role;

/// The manifest of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The plugin's name, which is the name of its package.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// A description in one line.
    #[serde(default)]
    pub description: String,
    /// The tasks of the plugin, which run on their schedules.
    #[serde(default)]
    pub tasks: Vec<TaskSpec>,
    /// The kinds of tasks for which runs can be submitted.
    #[serde(default)]
    pub task_kinds: Vec<TaskKindSpec>,
    /// The components of the plugin.
    #[serde(default)]
    pub components: Vec<ComponentManifest>,
}

/// One component that a plugin exports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentManifest {
    /// The component's name, unique in its plugin.
    pub name: String,
    /// The component's role in an engine.
    pub role: Role,
    /// A description in one line.
    #[serde(default)]
    pub description: String,
    /// The component's inputs; the first is the main one.
    #[serde(default)]
    pub inputs: Vec<PortManifest>,
    /// The component's outputs; the first is the main one.
    #[serde(default)]
    pub outputs: Vec<PortManifest>,
    /// What only one build of the component may hold at a time, in a few words each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// How one build of the component gives way to the next.
    #[serde(default, skip_serializing_if = "is_default")]
    pub handover: Handover,
    /// The JSON Schema of the component's configuration.
    #[serde(default)]
    pub config_schema: Value,
}
