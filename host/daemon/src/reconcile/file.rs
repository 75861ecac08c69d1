//! The observed state of one file.

use std::time::Instant;

use super::FileVersion;

/// One file of the plugins folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObservedFile {
    /// The file and the circumstances when it was examined.
    pub(crate) observation: FileObservation,
    /// The state of the file.
    pub(crate) state: FileState,
}

/// The version of a file when it was examined, and the circumstances at that time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct FileObservation {
    pub(crate) version: FileVersion,
    pub(crate) circumstances: u64,
    pub(crate) quarantine: u64,
    pub(crate) trust: u64,
    pub(crate) requests: u64,
}

/// The state of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileState {
    /// The file is being checked and probed.
    Examining,
    /// The file is valid and waits to be loaded.
    Ready { plugin: String, hash: String },
    /// The build is in service, or on its way into service.
    Taken { plugin: String },
    /// The file is not loaded.
    Refused { plugin: Option<String>, retry: Retry },
}

/// What has to change before a refused file is tried again, apart from the file itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// Nothing else: the file itself is at fault.
    File,
    /// The configuration, the settings, or the trusted keys and pins.
    Circumstances,
    /// Something outside of the file that gives no event: a right, a limit, a library of the system.
    /// The file is tried again at this time, or on request.
    Outside {
        /// When the file is tried again.
        at: Instant,
    },
    /// The quarantine.
    Quarantine,
    /// The other file that holds the same plugin.
    Duplicate,
}
