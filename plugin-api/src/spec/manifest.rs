//! What a plugin says about itself. It crosses as JSON, so that it can grow.

use serde::{Deserialize, Serialize};

use super::EventTypeSpec;

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
    /// Its tasks.
    #[serde(default)]
    pub tasks: Vec<TaskManifest>,
    /// Its components.
    #[serde(default)]
    pub components: Vec<ComponentManifest>,
}

/// Whether a task's function is async or occupies a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// An async function.
    Async,
    /// A function that computes or blocks: it runs on the plugin's blocking pool.
    Sync,
}

/// One entry of `PLUGIN_TASKS`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskManifest {
    /// The task's name, unique in its plugin.
    pub name: String,
    /// One line for people.
    #[serde(default)]
    pub description: String,
    /// Async or sync.
    pub kind: TaskKind,
    /// Milliseconds between the starts of two runs; absent: one run at start.
    #[serde(default)]
    pub interval_ms: Option<u64>,
    /// The features that this task asks for beyond those.
    #[serde(default)]
    pub asks: Vec<Unsupported>,
}

/// A wish of a task's manifest, in words: `priority high`, `depends_on [a]`.
///
/// A host that does not honour one yet refuses the task and says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unsupported(pub String);

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
    pub config_schema: serde_json::Value,
}

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
