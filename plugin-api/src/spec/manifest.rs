//! What a plugin says about itself.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{PortManifest, TaskKindSpec, TaskSpec};
use crate::Role;

/// The whole manifest of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The plugin's name: the crate's, unless the export says otherwise.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// One line for people.
    #[serde(default)]
    pub description: String,
    /// Its tasks, which run on their schedules.
    #[serde(default)]
    pub tasks: Vec<TaskSpec>,
    /// The kinds of tasks of which somebody may submit a run.
    #[serde(default)]
    pub task_kinds: Vec<TaskKindSpec>,
    /// Its components.
    #[serde(default)]
    pub components: Vec<ComponentManifest>,
}

/// One component that a plugin exports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentManifest {
    /// The component's name, unique in its plugin.
    pub name: String,
    /// Its place in an engine.
    pub role: Role,
    /// One line for people.
    #[serde(default)]
    pub description: String,
    /// Its inputs; the first is the main one.
    #[serde(default)]
    pub inputs: Vec<PortManifest>,
    /// Its outputs; the first is the main one.
    #[serde(default)]
    pub outputs: Vec<PortManifest>,
    /// The JSON schema of its configuration.
    #[serde(default)]
    pub config_schema: Value,
}
