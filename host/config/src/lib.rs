//! The configuration file of `hotbay run`: what it says, and where it says it.
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
//! tasks:                                             # what differs from the manifests
//!   - { plugin: hello, task: heartbeat, interval: 5s, config: { greeting: hi } }
//! reload: { settle: 300ms, probation: 10s }           # while it runs; `watch: false` to switch off
//! state_folder: .hotbay/spread                       # its status and its records
//! shutdown: { drain: 5s }
//! ```
//!
//! A variable without a default has to be set. Without quotes, what replaces it may be a number,
//! a truth value or nothing (`${HALT:-}`); in quotes it stays text. `$${` is a literal `${`.
//!
//! Reading goes in one direction, each step in its own module, and every step adds what it finds
//! wrong to one report, so that an operator sees all problems of a file at once:
//!
//! 1. `source` brings the text, `mask` makes `${…}` safe inside `{ }` and `[ ]`.
//! 2. `yaml` (serde_yaml) gives the values, `marks` their positions; `build` joins them into a
//!    tree and replaces variables, after parsing, so a variable can't add structure.
//! 3. `read` turns the tree into the types of this module, entry by entry, through `de`.
//! 4. `check` looks at what concerns several entries: names, roles, channels.
//!
//! What only a loaded plugin can tell (its components, ports, settings) is checked later, by who
//! has the plugin; [`Config::error_at`] puts such a finding at its place in the file.

#![forbid(unsafe_code)]

mod build;
mod check;
mod de;
mod diagnostic;
mod document;
mod entries;
mod marks;
mod mask;
mod overlay;
mod path;
mod ports;
mod read;
mod sidecar;
mod source;
mod substitute;
#[cfg(test)]
mod tests;
mod trust;
mod wording;
mod yaml;

use std::env::VarError;
use std::path::{Path, PathBuf};

use document::Document;

pub use diagnostic::{Diagnostic, Diagnostics, Position, Severity};
pub use entries::{
    ChannelEntry, ComponentEntry, Pipeline, Plugins, Reload, Shutdown, StatePolicy, TaskEntry,
    TimeMode,
};
pub use hotbay_plugin_api::Role;
pub use overlay::merged;
pub use path::{ConfigPath, Segment};
pub use ports::{PortUse, Ports};
pub use sidecar::{Sidecar, SidecarTask};
pub use trust::{KeyEntry, PinEntry, Trust, TrustMode};

/// Looks a variable up for `${VAR}`; a program passes `&|name| std::env::var(name)`.
pub type Environment<'e> = &'e dyn Fn(&str) -> Result<String, VarError>;

/// A configuration file that was read without an error.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the plugins are and what they are given.
    pub plugins: Plugins,
    /// The declared channels, in the order of the file.
    pub channels: Vec<(String, ChannelEntry)>,
    /// The pipeline, if this host runs one.
    pub pipeline: Option<Pipeline>,
    /// What differs from the manifests of the plugins' tasks.
    pub tasks: Vec<TaskEntry>,
    /// How the host follows changes while it runs.
    pub reload: Reload,
    /// Where the host keeps what has to survive it: its status, its records. By default
    /// `.hotbay/NAME` beside `NAME.yaml`.
    pub state_folder: PathBuf,
    /// How the host ends.
    pub shutdown: Shutdown,
    /// The folder of the file, to which its relative paths refer; `.` if the path had no folder.
    pub base_dir: PathBuf,
    /// What is allowed and yet looks wrong, such as a channel that nobody uses.
    pub warnings: Diagnostics,
    document: Document,
}

impl Config {
    /// Reads a configuration file, with variables from `environment`.
    ///
    /// # Errors
    /// Everything that is wrong with the file, in the order of its lines, warnings among it.
    pub fn load(file: &Path, environment: Environment<'_>) -> Result<Self, Diagnostics> {
        let text = source::read(file)?;
        Self::parse(file, &text, environment)
    }

    /// Like [`Config::load`] with a text already at hand; nothing is read, `file` names it.
    ///
    /// # Errors
    /// Everything that is wrong with the text, in the order of its lines, warnings among it.
    pub fn parse(
        file: &Path,
        text: &str,
        environment: Environment<'_>,
    ) -> Result<Self, Diagnostics> {
        let mut report = source::Report::new(file);
        let Some(document) = Document::parse(text, environment, &mut report) else {
            return Err(report.found);
        };
        let draft = read::draft(&document, &mut report);
        check::check(&draft, &document, &mut report);
        draft.finish(document, report)
    }

    /// Whether a host that runs this follows changes of its plugins and of this file: as
    /// `reload.watch` says, or else unless it replays a recording.
    pub fn follows_changes(&self) -> bool {
        let replays = || self.pipeline.as_ref().is_some_and(|it| it.time == TimeMode::Replay);
        self.reload.watch.unwrap_or_else(|| !replays())
    }

    /// The state folder of a file that doesn't name one.
    pub fn usual_state_folder(file: &Path) -> PathBuf {
        read::state_folder(file)
    }

    /// The file that this configuration was read from, as it was named.
    pub fn file(&self) -> &Path {
        &self.document.file
    }

    /// Where the value at `path` stands, or else the innermost value around it that exists.
    pub fn position_of(&self, path: &ConfigPath) -> Position {
        self.document.position(path)
    }

    /// Where the key of the value at `path` stands; for an item of a list, the item itself.
    pub fn key_position_of(&self, path: &ConfigPath) -> Position {
        self.document.key_position(path)
    }

    /// An error that shows the value at `path`.
    pub fn error_at(&self, path: &ConfigPath, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.file(), Severity::Error, message).at(self.position_of(path))
    }

    /// An error that shows the key at `path`, for a key that shouldn't be there.
    pub fn error_at_key(&self, path: &ConfigPath, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.file(), Severity::Error, message).at(self.key_position_of(path))
    }

    /// A warning that shows the value at `path`.
    pub fn warning_at(&self, path: &ConfigPath, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.file(), Severity::Warning, message).at(self.position_of(path))
    }
}
