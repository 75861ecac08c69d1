//! What the sections of a configuration say.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use hotbay_plugin_api::{ChannelConfig, Overflow, Role};
use serde::Deserialize;

use super::path::ConfigPath;
use super::ports::Ports;
use super::trust::Trust;

/// Where the plugins are and what they are given.
#[derive(Debug, Clone)]
pub struct Plugins {
    /// The folder of the plugins' libraries, resolved against the file's folder.
    pub folder: PathBuf,
    /// The settings of single plugins, each a JSON object, by the plugin's name.
    pub settings: BTreeMap<String, serde_json::Value>,
    /// How long a library may take to show what it contains.
    pub probe_timeout: Duration,
    /// Whose plugins are loaded.
    pub trust: Trust,
}

impl Plugins {
    /// The probe's time limit where the file doesn't say one.
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

/// Where the pipeline's time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeMode {
    /// From the recorded events, as fast as they can be read.
    Replay,
    /// From the clock.
    Live,
}

/// The pipeline: connectors → one aggregator → strategies → executors.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Where its time comes from.
    pub time: TimeMode,
    /// At least one connector.
    pub connectors: Vec<ComponentEntry>,
    /// The aggregator.
    pub aggregator: ComponentEntry,
    /// At least one strategy.
    pub strategies: Vec<ComponentEntry>,
    /// At least one executor.
    pub executors: Vec<ComponentEntry>,
}

impl Pipeline {
    /// All components in the order of the flow.
    pub fn components(&self) -> impl Iterator<Item = &ComponentEntry> {
        let aggregator = std::iter::once(&self.aggregator);
        self.connectors.iter().chain(aggregator).chain(&self.strategies).chain(&self.executors)
    }
}

/// One component of the pipeline.
#[derive(Debug, Clone)]
pub struct ComponentEntry {
    /// Its place in the flow.
    pub role: Role,
    /// Its name in this pipeline, which no other component has.
    pub id: String,
    /// The name of the plugin that it comes from.
    pub plugin: String,
    /// The plugin's component; none if the plugin is said to have only one of this role.
    pub component: Option<String>,
    /// The channels that it reads.
    pub inputs: Ports,
    /// The channels that it writes.
    pub outputs: Ports,
    /// Its own configuration, always a JSON object.
    pub config: serde_json::Value,
    /// What becomes of its state when its plugin is replaced.
    pub state: StatePolicy,
    /// Where it stands; its configuration is at `location.key("config")`.
    pub location: ConfigPath,
}

/// What differs from the manifest for one task of a plugin.
#[derive(Debug, Clone)]
pub struct TaskEntry {
    /// The name of the plugin.
    pub plugin: String,
    /// The name of the task in the plugin's manifest.
    pub task: String,
    /// Whether it runs, if the file says so.
    pub enabled: Option<bool>,
    /// The time from one start to the next, if the file says so; longer than nothing.
    pub interval: Option<Duration>,
    /// Its own configuration, always a JSON object.
    pub config: serde_json::Value,
    /// Where it stands; its configuration is at `location.key("config")`.
    pub location: ConfigPath,
}

/// How the host follows changes while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reload {
    /// Whether it does. By default, unless the pipeline replays a recording.
    pub watch: Option<bool>,
    /// How long a file has to be unchanged before it is looked at.
    pub settle: Duration,
    /// How long a component may take to come between two events or turns.
    pub hold: Duration,
    /// How long a new build may take to initialize; inputs are held meanwhile.
    pub initialize: Duration,
    /// How long a failure of a new build brings the one before it back.
    pub probation: Duration,
    /// How many generations that could not be unloaded are put up with.
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

/// What becomes of a component's state when its plugin is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatePolicy {
    /// The new build takes it over, or does not come into service.
    #[default]
    Keep,
    /// The new build begins from the start.
    Discard,
}

/// How the host ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shutdown {
    /// How long what is under way may take to finish.
    pub drain: Duration,
}

impl Default for Shutdown {
    /// Five seconds to drain.
    fn default() -> Self {
        Self { drain: Duration::from_secs(5) }
    }
}
