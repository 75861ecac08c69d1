//! The sections of a configuration as typed values.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use hotbay_plugin_api::{ChannelConfig, Overflow, Role};
use serde::Deserialize;

use super::path::ConfigPath;
use super::ports::Ports;
use super::trust::TrustSettings;

/// The settings of the section `plugins`: the plugins folder, and how plugins are loaded.
#[derive(Debug, Clone)]
pub struct Plugins {
    /// The folder of the plugins' libraries. A relative path is resolved against the file's folder.
    pub folder: PathBuf,
    /// The settings of single plugins by name. Each is a JSON object.
    pub settings: BTreeMap<String, serde_json::Value>,
    /// How long a library may take to load in the probe.
    pub probe_timeout: Duration,
    /// The trust policy, which decides which plugins may be loaded.
    pub trust: TrustSettings,
}

impl Plugins {
    /// The time limit of the probe if the file does not set one.
    pub const DEFAULT_PROBE_TIMEOUT: Duration = Duration::from_secs(5);
}

/// One channel of the section `channels`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelEntry {
    /// The most events that wait for one subscriber; at least 1.
    pub capacity: usize,
    /// What the channel carries, for people.
    #[serde(default)]
    pub description: String,
    /// What happens when a subscriber's queue is full.
    #[serde(default)]
    pub overflow: Overflow,
}

impl ChannelEntry {
    /// The size and the purpose of the channel, as the bus declares it.
    pub fn config(&self) -> ChannelConfig {
        ChannelConfig::new(self.capacity, self.description.clone())
    }
}

/// The source of the pipeline's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeMode {
    /// The time of the recorded events, which are read as fast as possible.
    Replay,
    /// The time of the system's clock.
    Live,
}

/// The components of the pipeline: connectors → one aggregator → strategies → executors.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// The source of the pipeline's time.
    pub time: TimeMode,
    /// The connectors, at least one.
    pub connectors: Vec<ComponentEntry>,
    /// The aggregator, which merges the events of all connectors.
    pub aggregator: ComponentEntry,
    /// The strategies, at least one.
    pub strategies: Vec<ComponentEntry>,
    /// The executors, at least one.
    pub executors: Vec<ComponentEntry>,
}

impl Pipeline {
    /// Returns all components in the direction of the data.
    pub fn components(&self) -> impl Iterator<Item = &ComponentEntry> {
        let aggregator = std::iter::once(&self.aggregator);
        self.connectors.iter().chain(aggregator).chain(&self.strategies).chain(&self.executors)
    }
}

/// One component of the pipeline.
#[derive(Debug, Clone)]
pub struct ComponentEntry {
    /// The role of the component.
    pub role: Role,
    /// The unique name of the component in this pipeline.
    pub id: String,
    /// The name of the plugin that provides the component.
    pub plugin: String,
    /// The name of the component in the plugin. `None` if the plugin has only one component of
    /// this role.
    pub component: Option<String>,
    /// The channels that the component reads.
    pub inputs: Ports,
    /// The channels that the component writes.
    pub outputs: Ports,
    /// The configuration of the component, always a JSON object.
    pub config: serde_json::Value,
    /// What happens to the component's state when its plugin is replaced.
    pub state: StatePolicy,
    /// The path of the entry. The path of its configuration is `location.key("config")`.
    pub location: ConfigPath,
}

/// The overrides of a manifest for one task of a plugin.
#[derive(Debug, Clone)]
pub struct TaskEntry {
    /// The name of the plugin.
    pub plugin: String,
    /// The name of the task in the plugin's manifest.
    pub task: String,
    /// Whether the task runs, if the file sets it.
    pub enabled: Option<bool>,
    /// The time from one start to the next, if the file sets it. Never zero.
    pub interval: Option<Duration>,
    /// The configuration of the task, always a JSON object.
    pub config: serde_json::Value,
    /// The path of the entry. The path of its configuration is `location.key("config")`.
    pub location: ConfigPath,
}

/// How the host reacts to changes of files while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reload {
    /// Whether the host follows changes. `None` means: unless the pipeline replays a recording.
    pub watch: Option<bool>,
    /// How long a file must be unchanged before it is read.
    pub settle: Duration,
    /// How long a component may take to finish its current event or turn.
    pub hold: Duration,
    /// How long a new build may take to initialize. Inputs are held meanwhile.
    pub initialize: Duration,
    /// How long a new build is on probation. A failure during this time restores the previous
    /// build.
    pub probation: Duration,
    /// The number of generations that may stay mapped before nothing more is loaded.
    pub leaks: usize,
}

impl Default for Reload {
    /// 300 ms to settle, 5 s to hold, 10 s to initialize, 10 s on probation, 8 leaks.
    fn default() -> Self {
        Self {
            watch: None,
            settle: Duration::from_millis(300),
            hold: Duration::from_secs(5),
            initialize: Duration::from_secs(10),
            probation: Duration::from_secs(10),
            leaks: 8,
        }
    }
}

/// What happens to a component's state when its plugin is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatePolicy {
    /// The new build restores the state, or does not come into service.
    #[default]
    Keep,
    /// The new build starts without a state.
    Discard,
}

/// The time limits of the host's shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shutdown {
    /// How long events and runs that have begun may take to finish.
    pub drain: Duration,
}

impl Default for Shutdown {
    /// Returns a limit of five seconds for draining.
    fn default() -> Self {
        Self { drain: Duration::from_secs(5) }
    }
}
