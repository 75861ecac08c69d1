//! The sections of a configuration as typed values.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use hotbay_plugin_api::{ChannelConfig, Overflow, Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::{MAX_COMPONENTS, MAX_THREADS};
use super::path::ConfigPath;
use super::ports::Ports;
use super::trust::TrustSettings;
use super::values::{Count, DAY, HOUR, MILLISECOND, Name, PathText, Settings, Span, TEN_YEARS};

/// The plugins folder, and how plugins are loaded.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plugins {
    /// The folder of the plugins' libraries. A relative path is resolved against the folder of the
    /// configuration.
    #[serde(deserialize_with = "PathText::path")]
    #[schemars(with = "PathText")]
    pub folder: PathBuf,
    /// The settings of single plugins, by name.
    #[serde(default)]
    pub settings: BTreeMap<String, PluginSettings>,
    /// How long a library may take to load in the probe, before it is loaded by the host.
    #[serde(
        default = "Plugins::default_probe_timeout",
        deserialize_with = "Span::<MILLISECOND, HOUR>::read"
    )]
    #[schemars(with = "Span<MILLISECOND, HOUR>")]
    pub probe_timeout: Duration,
    /// The trust policy, which decides which plugins may be loaded.
    #[serde(default)]
    pub trust: TrustSettings,
}

impl Plugins {
    fn default_probe_timeout() -> Duration {
        Duration::from_secs(5)
    }
}

/// The settings of one plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PluginSettings {
    /// The number of threads that run the plugin's tasks and components. Without it, there is one
    /// for each of its components, up to the number of cores. Threads for sync functions come on
    /// top.
    #[serde(default, deserialize_with = "Threads::option")]
    #[schemars(with = "Option<Threads>")]
    pub threads: Option<NonZeroUsize>,
}

/// The number of threads of a plugin.
pub(super) type Threads = Count<1, MAX_THREADS>;

/// A named, bounded queue of events.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelEntry {
    /// The most events that wait for one subscriber.
    #[serde(deserialize_with = "Count::<1, 16_777_216>::read")]
    #[schemars(with = "Count<1, 16_777_216>")]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TimeMode {
    /// The time of the recorded events, which are read as fast as possible.
    Replay,
    /// The time of the system's clock.
    Live,
}

/// The components of the pipeline: connectors → one aggregator → strategies → executors.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Pipeline {
    /// The source of the pipeline's time.
    pub time: TimeMode,
    /// The connectors, at least one.
    #[schemars(length(min = 1, max = MAX_COMPONENTS))]
    pub connectors: Vec<ComponentEntry>,
    /// The aggregator, which merges the events of all connectors.
    pub aggregator: ComponentEntry,
    /// The strategies, at least one.
    #[schemars(length(min = 1, max = MAX_COMPONENTS))]
    pub strategies: Vec<ComponentEntry>,
    /// The executors, at least one.
    #[schemars(length(min = 1, max = MAX_COMPONENTS))]
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
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComponentEntry {
    /// The role of the component.
    #[serde(skip, default = "ComponentEntry::unknown_role")]
    pub role: Role,
    /// The unique name of the component in this pipeline.
    #[serde(deserialize_with = "Name::text")]
    #[schemars(with = "Name")]
    pub id: String,
    /// The name of the plugin that provides the component.
    #[serde(deserialize_with = "Name::text")]
    #[schemars(with = "Name")]
    pub plugin: String,
    /// The name of the component in the plugin. It may be left out if the plugin has only one
    /// component of this role.
    #[serde(default, deserialize_with = "Name::option")]
    #[schemars(with = "Option<Name>")]
    pub component: Option<String>,
    /// The channels that the component reads.
    #[serde(default)]
    pub inputs: Ports,
    /// The channels that the component writes.
    #[serde(default)]
    pub outputs: Ports,
    /// The configuration of the component. `hotbay plugin inspect` shows its keys.
    #[serde(default = "Settings::none", deserialize_with = "Settings::read")]
    #[schemars(with = "Settings")]
    pub config: serde_json::Value,
    /// What happens to the component's state when its plugin is replaced.
    #[serde(default)]
    pub state: StatePolicy,
    /// The path of the entry. The path of its configuration is `location.key("config")`.
    #[serde(skip)]
    pub location: ConfigPath,
}

impl ComponentEntry {
    /// The role is the key around the entry, so it is set after the entry was read.
    fn unknown_role() -> Role {
        Role::Connector
    }
}

/// How many runs of tasks may be under way at once. Further ones wait in the order of their
/// priorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The most runs of all tasks together that may be under way at once. Without it, any number.
    #[serde(deserialize_with = "AtOnce::option")]
    #[schemars(with = "Option<AtOnce>")]
    pub at_once: Option<NonZeroUsize>,
    /// The most runs of the tasks of one plugin that may be under way at once. Without it, any number.
    #[serde(deserialize_with = "AtOnce::option")]
    #[schemars(with = "Option<AtOnce>")]
    pub at_once_per_plugin: Option<NonZeroUsize>,
    /// The most runs with the same concurrency key, of whatever tasks, that may be under way at once.
    #[serde(deserialize_with = "AtOnce::read")]
    #[schemars(with = "AtOnce")]
    pub at_once_per_key: usize,
}

impl Default for Limits {
    /// Returns limits that let one run of each concurrency key be under way.
    fn default() -> Self {
        Self { at_once: None, at_once_per_plugin: None, at_once_per_key: 1 }
    }
}

/// The number of runs that may be under way at once.
pub(super) type AtOnce = Count<1, 1_000_000>;

/// Which runs of tasks that have ended are kept in the store, with their logs. The others are removed
/// while the host runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct History {
    /// How long runs are kept after they have ended.
    #[serde(deserialize_with = "Span::<1_000, TEN_YEARS>::read")]
    #[schemars(with = "Span<1_000, TEN_YEARS>")]
    pub max_age: Duration,
    /// How many runs are kept of each task.
    #[serde(deserialize_with = "Count::<0, 100_000_000>::read")]
    #[schemars(with = "Count<0, 100_000_000>")]
    pub max_runs: usize,
    /// How many of the latest runs of each task are kept, whatever the other keys say.
    #[serde(deserialize_with = "Count::<1, 100_000_000>::read")]
    #[schemars(with = "Count<1, 100_000_000>")]
    pub keep_at_least: usize,
}

impl Default for History {
    /// 30 days, 10,000 runs of each task, at least 100.
    fn default() -> Self {
        let max_age = Duration::from_secs(30 * 24 * 60 * 60);
        Self { max_age, max_runs: 10_000, keep_at_least: 100 }
    }
}

/// How the host reacts to changes of files while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reload {
    /// Whether the host follows changes. Without it, the host does so unless the pipeline replays a
    /// recording.
    pub watch: Option<bool>,
    /// How long a file must be unchanged before it is read.
    #[serde(deserialize_with = "Span::<0, HOUR>::read")]
    #[schemars(with = "Span<0, HOUR>")]
    pub settle: Duration,
    /// How long a component may take to finish its current event or turn.
    #[serde(deserialize_with = "Span::<MILLISECOND, HOUR>::read")]
    #[schemars(with = "Span<MILLISECOND, HOUR>")]
    pub hold: Duration,
    /// How long a new build may take to initialize. Inputs are held meanwhile.
    #[serde(deserialize_with = "Span::<MILLISECOND, HOUR>::read")]
    #[schemars(with = "Span<MILLISECOND, HOUR>")]
    pub initialize: Duration,
    /// How long a new build is on probation. A failure during this time restores the previous
    /// build.
    #[serde(deserialize_with = "Span::<0, { 7 * DAY }>::read")]
    #[schemars(with = "Span<0, { 7 * DAY }>")]
    pub probation: Duration,
    /// The number of builds that could not be unloaded before nothing more is loaded.
    #[serde(deserialize_with = "Count::<0, 1000>::read")]
    #[schemars(with = "Count<0, 1000>")]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StatePolicy {
    /// The new build restores the state, or does not come into service.
    #[default]
    Keep,
    /// The new build starts without a state.
    Discard,
}

/// The time limits of the host's shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Shutdown {
    /// How long events and runs that have begun may take to finish.
    #[serde(deserialize_with = "Span::<0, DAY>::read")]
    #[schemars(with = "Span<0, DAY>")]
    pub drain: Duration,
}

impl Default for Shutdown {
    /// Returns a limit of five seconds for draining.
    fn default() -> Self {
        Self { drain: Duration::from_secs(5) }
    }
}
