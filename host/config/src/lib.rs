//! The configuration file of `hotbay run`: its values, and the position of each value in the file.
//!
//! ```yaml
//! plugins:
//!   folder: ./plugins                                # relative to this file's folder
//!   probe_timeout: 5s
//!   trust: enforce                                   # or off, warn, or a mapping:
//!   # trust: { mode: enforce, pins: { libhello.so: HASH }, pins_file: hotbay.pins, keys: [RW…] }
//! channels:
//!   spot:   { capacity: 8192, description: Binance spot, overflow: block }
//!   prices: { capacity: 64 }
//!   orders: { capacity: 64 }
//! pipeline:
//!   time: replay                                     # or live
//!   connectors:
//!     - id: spot
//!       plugin: binance-feed
//!       component: feed                              # if the plugin has several connectors
//!       outputs: { events: spot }                    # or `spot` or `[spot]`: its first port
//!       config: { path: "${CAPTURES}/spot.gz", quantity: ${QUANTITY:-0.001} }
//!   aggregator: { id: merge, plugin: market-aggregator, inputs: spot, outputs: prices }
//!   strategies: [{ id: cross, plugin: ema-cross, inputs: prices, outputs: orders }]
//!   executors:  [{ id: paper, plugin: paper-executor, inputs: orders }]
//! tasks:                                             # overrides of the manifests
//!   - { plugin: hello, task: heartbeat, interval: 5s, config: { greeting: hi } }
//! reload: { settle: 300ms, probation: 10s }           # of changes; `watch: false` switches it off
//! state_folder: .hotbay/spread                       # for the host's status and records
//! shutdown: { drain: 5s }
//! ```
//!
//! A variable without a default must be set. Outside of quotes, the value of a variable is resolved
//! like a plain scalar: it can be a number, a boolean or null (`${HALT:-}`). In quotes it is text.
//! `$${` is a literal `${`.
//!
//! A file is read in the following steps, each in its own module. Every step adds its diagnostics
//! to one report, so that an operator sees all problems of a file at once:
//!
//! 1. `source` reads the text, and `mask` hides the inside of `${…}` from the YAML parser.
//! 2. `yaml` (serde_yaml) parses the values and `marks` their positions. `build` joins both into
//!    the tree of a `document` and replaces variables. This happens after parsing, so the value
//!    of a variable cannot add structure.
//! 3. `read` deserializes the tree into the types of this module, entry by entry, through `de`.
//! 4. `check` checks rules that concern several entries: names, roles, channels.
//!
//! Rules that need a loaded plugin (its components, ports and settings) are checked by the host,
//! which uses [`Config::error_at`] to give a diagnostic its position in the file.

#![forbid(unsafe_code)]

mod build;
mod check;
mod de;
mod diagnostic;
mod document;
mod entries;
mod folders;
mod limits;
mod marks;
mod mask;
mod overlay;
mod path;
mod ports;
mod read;
mod schema;
mod secrets;
mod sidecar;
mod source;
mod substitute;
mod tasks;
#[cfg(test)]
mod tests;
pub mod text;
mod trust;
mod values;
mod wording;
mod yaml;

use std::env::VarError;
use std::path::{Path, PathBuf};

pub use diagnostic::{Diagnostic, Diagnostics, Position, Severity};
pub use document::Document;
pub use entries::{
    ChannelEntry, ComponentEntry, History, Limits, Pipeline, PluginSettings, Plugins, Reload,
    Shutdown, StatePolicy, TimeMode,
};
pub use folders::StateFolder;
pub use hotbay_plugin_api::Role;
pub use limits::MAX_THREADS;
pub use overlay::merged;
pub use path::{ConfigPath, Segment};
pub use ports::{PortUse, Ports};
pub use schema::{FileKind, reference, schema};
pub use secrets::masked;
pub use sidecar::{SharedTasks, Sidecar};
pub use tasks::{
    BackoffEntry, MisfireEntry, PriorityEntry, ScheduleEntry, TaskEntry, TriggerEntry,
};
pub use trust::{KeyEntry, Pin, TrustMode, TrustSettings, key_line};
pub use values::Bound;
pub use wording::{closest, listed, suggestion};

/// Looks up the variable of a `${VAR}`. A program passes `&|name| std::env::var(name)`.
pub type Environment<'e> = &'e dyn Fn(&str) -> Result<String, VarError>;

/// A configuration file that has no errors.
#[derive(Debug, Clone)]
pub struct Config {
    /// The section `plugins`: the plugins folder, and how plugins are loaded.
    pub plugins: Plugins,
    /// The declared channels by name, in the order of the file.
    pub channels: Vec<(String, ChannelEntry)>,
    /// The pipeline, if the file has one.
    pub pipeline: Option<Pipeline>,
    /// The overrides of the manifests of tasks, which take precedence over those beside libraries.
    pub tasks: Vec<TaskEntry>,
    /// How many runs of tasks may be under way at once.
    pub limits: Limits,
    /// Which runs of tasks are kept.
    pub history: History,
    /// How the host reacts to changes of files while it runs.
    pub reload: Reload,
    /// The folder for the host's status and records, which outlive the process. The default is
    /// `.hotbay/NAME` beside `NAME.yaml`.
    pub state_folder: PathBuf,
    /// The time limits of the host's shutdown.
    pub shutdown: Shutdown,
    /// The folder that relative paths in the file refer to: the file's own folder.
    pub base_dir: PathBuf,
    /// Warnings found while the file was checked, such as a channel that nobody uses.
    pub warnings: Diagnostics,
    document: Document,
}

impl Config {
    /// Reads a configuration file, with variables from `environment`.
    ///
    /// The file has to be as well protected from other users as a plugin, whatever the trust mode:
    /// it says what is run, and whom to trust.
    ///
    /// # Errors
    /// If the file cannot be read or another user can change it; and all errors and warnings of the file, in the order of its lines, if there is an error.
    pub fn load(file: &Path, environment: Environment<'_>) -> Result<Self, Diagnostics> {
        let text = source::read(file, source::Source::Configuration)?;
        Self::parse(file, &text, environment)
    }

    /// Parses the text of a configuration file. `file` is used for diagnostics and relative paths
    /// only, and is not read.
    ///
    /// # Errors
    /// All errors and warnings of the text, in the order of its lines, if there is an error.
    pub fn parse(
        file: &Path,
        text: &str,
        environment: Environment<'_>,
    ) -> Result<Self, Diagnostics> {
        let mut report = source::Report::new(file);
        let Some(document) = build::parse(text, environment, &mut report) else {
            return Err(report.found);
        };
        let draft = read::draft(&document, &mut report);
        check::check(&draft, &document, &mut report);
        draft.finish(document, report)
    }

    /// Returns `true` if a host with this configuration follows changes of its plugins and of
    /// this file.
    ///
    /// Without `reload.watch`, a host follows changes unless its pipeline replays a recording.
    pub fn follows_changes(&self) -> bool {
        let replays = || self.pipeline.as_ref().is_some_and(|it| it.time == TimeMode::Replay);
        self.reload.watch.unwrap_or_else(|| !replays())
    }

    /// Returns the path of the file, as it was given to [`Config::load`].
    pub fn file(&self) -> &Path {
        self.document.file()
    }

    /// Returns the file, for findings about its values.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// Returns the position of the value at `path`, or of the innermost existing value around it.
    pub fn position_of(&self, path: &ConfigPath) -> Position {
        self.document.position(path)
    }

    /// Returns the position of the key of the value at `path`. For an item of a list, this is the
    /// position of the item.
    pub fn key_position_of(&self, path: &ConfigPath) -> Position {
        self.document.key_position(path)
    }

    /// Creates an error at the position of the value at `path`. The message does not show the
    /// values of variables.
    pub fn error_at(&self, path: &ConfigPath, message: impl Into<String>) -> Diagnostic {
        self.document.error_at(path, message)
    }

    /// Creates an error at the position of the key at `path`, for a key that must not exist.
    pub fn error_at_key(&self, path: &ConfigPath, message: impl Into<String>) -> Diagnostic {
        self.document.error_at_key(path, message)
    }

    /// Creates a warning at the position of the value at `path`.
    pub fn warning_at(&self, path: &ConfigPath, message: impl Into<String>) -> Diagnostic {
        self.document.warning_at(path, message)
    }
}
