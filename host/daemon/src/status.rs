//! What a running host says about itself, for who asks from outside.

mod collect;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use hotbay_loader::{TrustMode, TrustedBy};
use hotbay_store::record::Replacement;

/// The state of a host at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The host's process.
    pub pid: u32,
    /// Its configuration.
    pub configuration: PathBuf,
    /// How it follows changes: `inotify`, `polling` or `off`.
    pub watching: String,
    /// Whose plugins are loaded.
    pub trust: TrustStatus,
    /// The builds of plugins that are mapped.
    pub plugins: Vec<PluginStatus>,
    /// The files in its plugins folder that are not loaded.
    pub refused: Vec<RefusedStatus>,
    /// The components, in the direction of the data.
    pub components: Vec<ComponentStatus>,
    /// The tasks, by name.
    pub tasks: Vec<TaskStatus>,
    /// How many replacements there were.
    pub replacements: u64,
    /// The last of them, the latest at the end.
    pub last_replacements: Vec<Replacement>,
    /// Why the configuration on disk is not the one that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration_refused: Option<String>,
}

/// Whose plugins a host loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustStatus {
    /// What it does about a file that nobody vouches for.
    pub mode: TrustMode,
    /// What the configuration says, where an option of the command line says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overrides: Option<TrustMode>,
}

/// One build of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginStatus {
    /// The plugin.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The number of the build in this host, from 1.
    pub generation: u64,
    /// What it does.
    pub state: BuildState,
    /// The SHA-256 of its library, in hexadecimal.
    pub hash: String,
    /// Where it came from.
    pub file: PathBuf,
    /// Who vouches for that file.
    pub trusted_by: TrustedBy,
    /// When it was loaded, RFC 3339, UTC.
    pub loaded: String,
    /// The threads of its bay.
    pub threads: usize,
    /// The address space of its library, in bytes.
    pub mapped_bytes: u64,
    /// Why it could not be unloaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a build does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuildState {
    /// It is the one that runs.
    InService,
    /// It is the one that runs, and the one before may come back.
    OnProbation,
    /// It comes back if the one on probation fails.
    StandingBy,
    /// It could not be unloaded.
    Leaked,
}

/// A file that is not loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedStatus {
    /// The file.
    pub file: PathBuf,
    /// A word for programs.
    pub code: String,
    /// Why.
    pub reason: String,
    /// What to do.
    pub remedy: String,
}

/// One component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentStatus {
    /// Its id.
    pub id: String,
    /// Its place.
    pub role: String,
    /// Its plugin.
    pub plugin: String,
    /// `waiting`, `running`, `failed` and so on.
    pub status: String,
    /// What it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// Turns, for a connector or aggregator.
    pub turns: u64,
    /// Events handled, for a strategy or executor.
    pub events: u64,
    /// Its last error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// `plugin/task`.
    pub id: String,
    /// When it runs.
    pub schedule: String,
    /// What it waits for, if it is not scheduled now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// How often it ran.
    pub runs: u64,
    /// How many of these runs failed.
    pub failed: u64,
    /// Why the last of them failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}
