//! What is to be done next: a pure function of what is asked for and what is there.
//!
//! [`reconcile`] compares the [`Desired`] state (plugins folder, settings, configuration) with
//! the [`Observed`] state (files, plugins, what is under way) and gives [`Action`]s. The actor
//! begins each action with [`Observed::begin`] and reports its end with one of the other
//! transitions of [`Observed`]; then it asks again. There is no I/O, clock or task in here, so
//! all of it is tested by simulation.
//!
//! ```text
//! file:    (new) → Examining → Ready → Taken → (forgotten)
//!                      └→ Refused ─┘ when what it depends on has changed
//! plugin:  Loading → Loaded → (Confirm the build on probation) → Change → in service, on probation
//!                                                                  ├→ Confirm: in service
//!                                                                  └→ RollBack: the old build again
//! ```
//!
//! Rules that are not obvious, each for a race:
//!
//! * A failed probation comes before everything else of its plugin, and waits for nothing but
//!   an activity of that same plugin: another plugin that hangs does not delay it.
//! * A file that is gone retires its plugin only when no file is being examined: one of them
//!   may be the same plugin under its new name.
//! * A configuration is taken over while no build is being loaded, and nothing is loaded while
//!   one waits to be taken over: so a build is never resolved against a configuration that is
//!   not the one in force when the build comes into service.

mod observed;
mod rules;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

pub(crate) use observed::{
    EngineState, FileObservation, FileState, Observed, ObservedFile, ObservedPlugin,
    PluginActivity, Retry, Service, Stage,
};
pub(crate) use rules::reconcile;

/// How many builds may be closing at the same time. One that hangs takes seconds to close.
pub(crate) const MOST_CLOSING: usize = 4;

/// What the plugins folder and the configuration ask for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Desired {
    /// The libraries in the plugins folder. `None` while the folder cannot be looked at: then
    /// everything goes on as it is.
    pub(crate) files: Option<BTreeMap<PathBuf, FileVersion>>,
    /// Files of plugins in service that do not exist any more. A file that is missing in
    /// `files` may only not have settled yet.
    pub(crate) gone: BTreeSet<PathBuf>,
    /// The content of the settings files in the plugins folder.
    pub(crate) settings: BTreeMap<PathBuf, String>,
    /// The number of the newest configuration that was read.
    pub(crate) configuration: u64,
    /// Whether the configuration is being read: nothing is loaded until it is known.
    pub(crate) reading: bool,
    /// Counts changes of what a refusal may depend on outside of its file: configuration,
    /// trust, settings.
    pub(crate) circumstances: u64,
    /// Counts changes of the quarantine.
    pub(crate) quarantine: u64,
    /// Counts changes of whom the host trusts.
    pub(crate) trust: u64,
}

/// What tells two states of one file apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct FileVersion {
    /// The SHA-256 of a library, in hexadecimal; empty for something else.
    pub(crate) content: String,
    /// Everything else that may matter: metadata, and the signature beside it.
    pub(crate) rest: String,
}

/// One step towards the desired state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Check and probe a file.
    Examine { file: PathBuf },
    /// Note that a file holds the bytes that are in service.
    Adopt { file: PathBuf, plugin: String },
    /// Load an examined file; nothing of it is in service yet.
    Load { file: PathBuf, plugin: String },
    /// Refuse a file whose plugin another file brings.
    RefuseDuplicate { file: PathBuf, plugin: String, of: PathBuf },
    /// Note that the file of a plugin in service has another name.
    Move { file: PathBuf, plugin: String },
    /// Forget a file that is not there any more and not in service.
    Forget { file: PathBuf },
    /// Put a loaded build into service that has no predecessor.
    Enter { plugin: String },
    /// Put a loaded build into the place of the one in service.
    Change { plugin: String },
    /// StopReason a probation well.
    Confirm { plugin: String },
    /// Put the build before the one on probation back into service.
    RollBack { plugin: String },
    /// Take a plugin out of service.
    Retire { plugin: String },
    /// Start components of a plugin that can be started and do not run.
    Start { plugin: String },
    /// Make the components of the pipeline and start them for the first time.
    StartEngine,
    /// Take over the newest configuration, or the newest settings of a plugin.
    Reconfigure { subject: Subject },
}

/// What is taken over: one of them at a time, so that a refusal names the one at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The configuration of the host.
    Configuration,
    /// The settings file beside a plugin's library.
    Settings { plugin: String },
}

impl Desired {
    /// What stands in the settings files of a plugin whose library is `file`.
    pub(crate) fn settings_of(&self, file: &Path, plugin: &str) -> String {
        let texts = settings_files(file, plugin).map(|path| self.settings.get(&path).cloned());
        texts.map(Option::unwrap_or_default).join("\n")
    }

    fn observe(&self, version: &FileVersion) -> FileObservation {
        FileObservation {
            version: version.clone(),
            circumstances: self.circumstances,
            quarantine: self.quarantine,
            trust: self.trust,
        }
    }
}

/// The names that the settings file of a plugin may have: that of its library, or that of the
/// plugin.
pub(crate) fn settings_files(library: &Path, plugin: &str) -> [PathBuf; 2] {
    [library.with_extension("yaml"), library.with_file_name(format!("{plugin}.yaml"))]
}
