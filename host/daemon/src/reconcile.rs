//! Reconciliation of the observed with the desired state, by a pure function that decides what the
//! host does next.
//!
//! [`reconcile`] compares the [`Desired`] state (plugins folder, settings, configuration) with the
//! [`Observed`] state (files, plugins, operations under way) and returns [`Action`]s. The actor
//! begins each action with [`Observed::begin`] and reports its end with one of the other
//! transitions of [`Observed`]; then it calls `reconcile` again. There is no I/O, no clock, no lock
//! and no task in this module, so all of it is tested by simulation.
//!
//! ```text
//! file:    (new) → Examining → Ready → Taken → (forgotten)
//!                      └→ Refused ─┘ when what it depends on has changed
//! plugin:  Loading → Loaded → (Confirm the build on probation) → Change → in service, on probation
//!                                                                  ├→ Confirm: in service
//!                                                                  └→ RollBack: the old build again
//! ```
//!
//! The rules that are not obvious, and the race that each of them prevents:
//!
//! * A failed probation precedes everything else of its plugin, and only waits for an activity of
//!   that same plugin: another plugin that hangs does not delay the roll-back.
//! * A plugin whose file is gone is retired only when no file is being examined: one of them may be
//!   the same plugin under a new name.
//! * A configuration is applied while no build is being loaded, and nothing is loaded while a
//!   configuration waits to be applied: so a build is never resolved against another configuration
//!   than the one in force when the build comes into service.

mod file;
mod observed;
mod plugin;
mod rules;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

pub(crate) use file::{FileObservation, FileState, ObservedFile, Retry};
pub(crate) use observed::{EngineState, Observed};
pub(crate) use plugin::{
    Incoming, ObservedPlugin, ObservedProbation, PluginActivity, Service, Stage,
};
pub(crate) use rules::reconcile;

/// The number of builds that may be closing at the same time. A build that hangs takes seconds to
/// close.
pub(crate) const MAX_CLOSING: usize = 4;

/// The state that the plugins folder and the configuration ask for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Desired {
    /// The libraries in the plugins folder. `None` while the folder can't be read: then everything
    /// stays as it is.
    pub(crate) files: Option<BTreeMap<PathBuf, FileVersion>>,
    /// Files of plugins in service that do not exist any more. A file that is missing in
    /// `files` may only not have settled yet.
    pub(crate) gone: BTreeSet<PathBuf>,
    /// The content of the settings files in the plugins folder.
    pub(crate) settings: BTreeMap<PathBuf, String>,
    /// The number of the newest configuration that was read.
    pub(crate) configuration: u64,
    /// The configuration is being read. Nothing is loaded until its content is known.
    pub(crate) reading: bool,
    /// Counts the changes of everything outside of a file on which its refusal may depend:
    /// configuration, trust, settings.
    pub(crate) circumstances: u64,
    /// Counts the changes of the quarantine.
    pub(crate) quarantine: u64,
    /// Counts changes of whom the host trusts.
    pub(crate) trust: u64,
    /// Counts the requests to look at everything again.
    pub(crate) requests: u64,
}

/// Distinguishes two states of one file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct FileVersion {
    /// The SHA-256 of a library, in hexadecimal; empty for anything but a regular file.
    pub(crate) content: String,
    /// Everything else that may matter: the metadata, and the signature beside the file.
    pub(crate) rest: String,
}

/// One step towards the desired state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Check and probe a file.
    Examine { file: PathBuf },
    /// Note that a file holds the build that is in service.
    Adopt { file: PathBuf, plugin: String },
    /// Load an examined file, without putting anything of it into service.
    Load { file: PathBuf, plugin: String },
    /// Refuse a file whose plugin is in service from another file.
    RefuseDuplicate { file: PathBuf, plugin: String, of: PathBuf },
    /// Note that the file of a plugin in service was renamed.
    Move { file: PathBuf, plugin: String },
    /// Forget a file that does not exist any more and is not in service.
    Forget { file: PathBuf },
    /// Put a loaded build without a predecessor into service.
    Enter { plugin: String },
    /// Replace the build in service by a loaded one.
    Change { plugin: String },
    /// End a probation successfully.
    Confirm { plugin: String },
    /// Put the previous build back into service.
    RollBack { plugin: String },
    /// Take a plugin out of service.
    Retire { plugin: String },
    /// Start the components of a plugin that can be started and do not run.
    Start { plugin: String },
    /// Make the components of the pipeline and start them for the first time.
    StartEngine,
    /// Apply the newest configuration, or the newest settings of a plugin.
    Reconfigure { subject: Subject },
}

/// What a reconfiguration applies: one at a time, so that a refusal names the one at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The configuration of the host.
    Configuration,
    /// The settings file beside a plugin's library.
    Settings { plugin: String },
}

impl Desired {
    /// Returns the content of the settings files of a plugin whose library is `file`.
    pub(crate) fn settings_of(&self, file: &Path, plugin: &str) -> String {
        let files = settings_files(file, plugin).into_iter().chain(shared_settings_files(file));
        let texts = files.map(|path| self.settings.get(&path).cloned().unwrap_or_default());
        texts.collect::<Vec<_>>().join("\n")
    }

    /// Returns the observation of a file of this version, under the present circumstances.
    fn observe(&self, version: &FileVersion) -> FileObservation {
        FileObservation {
            version: version.clone(),
            circumstances: self.circumstances,
            quarantine: self.quarantine,
            trust: self.trust,
            requests: self.requests,
        }
    }
}

/// Returns the paths that a file may have which is about the tasks of all plugins in a folder.
pub(crate) fn shared_settings_files(library: &Path) -> [PathBuf; 2] {
    ["config.yaml", "config.yml"].map(|name| library.with_file_name(name))
}

/// Returns the paths that the settings file of a plugin may have: it is named like the library or like
/// the plugin, and ends in `.yaml` or `.yml`.
pub(crate) fn settings_files(library: &Path, plugin: &str) -> [PathBuf; 4] {
    let named = |ending: &str| library.with_file_name(format!("{plugin}.{ending}"));
    [library.with_extension("yaml"), named("yaml"), library.with_extension("yml"), named("yml")]
}
