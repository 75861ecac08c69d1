//! The status of a running host, for programs outside of it.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use hotbay_loader::{TrustMode, TrustedBy};
use hotbay_store::{path_text, record::Replacement};

/// The status of a host at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The id of the host's process.
    pub pid: u32,
    /// The file of the host's configuration.
    #[serde(serialize_with = "path_text::serialize")]
    pub configuration: PathBuf,
    /// How the host follows changes: `inotify`, `polling` or `off`.
    pub watching: String,
    /// The trust mode in force.
    pub trust: TrustStatus,
    /// The builds of plugins that are mapped, whether they are in service or not.
    pub plugins: Vec<PluginStatus>,
    /// The files in the plugins folder that are not in force: libraries that are not loaded, and
    /// settings that were changed in a way that is refused.
    pub refused: Vec<RefusedStatus>,
    /// The components, in the direction of the data.
    pub components: Vec<ComponentStatus>,
    /// The tasks, by name.
    pub tasks: Vec<TaskStatus>,
    /// The counters of the components and tasks, as `component.name`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, u64>,
    /// The gauges of the components and tasks that were set, as `component.name`; `None` for a value
    /// that is no finite number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gauges: BTreeMap<String, Option<f64>>,
    /// The number of replacements so far.
    pub replacements: u64,
    /// The last replacements, with the latest at the end.
    pub last_replacements: Vec<Replacement>,
    /// The number of lines that the log has lost, because they could not be written.
    #[serde(default)]
    pub lost_log_lines: u64,
    /// Why the configuration on disk is not in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration_refused: Option<String>,
}

/// The trust mode of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustStatus {
    /// The mode in force.
    pub mode: TrustMode,
    /// The mode in the configuration, if an option of the command line overrides it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overrides: Option<TrustMode>,
}

/// The status of one build of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginStatus {
    /// The plugin's name.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// The number of the build in this host, from 1.
    pub generation: u64,
    /// The state of the build.
    pub state: BuildState,
    /// The SHA-256 of the library, in hexadecimal.
    pub hash: String,
    /// The file that the build was loaded from.
    #[serde(serialize_with = "path_text::serialize")]
    pub file: PathBuf,
    /// The reason why that file was trusted.
    pub trusted_by: TrustedBy,
    /// The time at which the build was loaded, RFC 3339, UTC.
    pub loaded: String,
    /// The number of threads of the bay.
    pub threads: usize,
    /// The size of the library's mappings in bytes.
    pub mapped_bytes: u64,
    /// Why the library could not be unmapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The state of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuildState {
    /// The build is in service.
    InService,
    /// The build is in service, and may still be rolled back.
    OnProbation,
    /// The build comes back into service if the one on probation fails.
    StandingBy,
    /// The build is out of service, but its library could not be unmapped.
    Leaked,
}

/// The status of a file that is not loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedStatus {
    /// The path of the file.
    #[serde(serialize_with = "path_text::serialize")]
    pub file: PathBuf,
    /// A word that programs can compare.
    pub code: String,
    /// Why the file is not loaded.
    pub reason: String,
    /// What can be done about it.
    pub remedy: String,
}

/// The status of one component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentStatus {
    /// The component's id.
    pub id: String,
    /// The component's role in the pipeline.
    pub role: String,
    /// The name of its plugin.
    pub plugin: String,
    /// The state of the component: `waiting`, `running`, `failed` and so on.
    pub status: String,
    /// What the component waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// The number of turns of a connector or aggregator.
    pub turns: u64,
    /// The number of events that a strategy or executor has handled.
    pub events: u64,
    /// The component's last error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The status of one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// The id of the task, `plugin/task`.
    pub id: String,
    /// The schedule of the task, as text.
    pub schedule: String,
    /// What the task waits for, if it is not scheduled at the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// The number of runs that have ended.
    pub runs: u64,
    /// The number of these runs that failed.
    pub failed: u64,
    /// The error of the last run that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}
