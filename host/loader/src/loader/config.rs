//! How a loader is configured, and why it cannot be created.

use std::{io, path::PathBuf, time::Duration};

use hotbay_store::quarantine::Quarantine;

use crate::{ProbeError, RunLog};

/// The settings of a [`Loader`](crate::Loader).
#[derive(Debug, Clone)]
pub struct LoaderConfig {
    /// The program that is started as the probe: a `hotbay` binary. The default is the running
    /// program itself, which must then call [`serve_probe`](crate::serve_probe) first thing in
    /// `main`.
    pub probe_program: Option<PathBuf>,
    /// How long a library may take to load in the probe.
    pub probe_limit: Duration,
    /// The number of bytes that a probe may map, the probe program itself included.
    pub probe_memory: u64,
    /// The size of the largest file that is read, in bytes.
    pub size_cap: u64,
    /// The parent of the folder for private copies. The default is the system's temporary
    /// folder. Its file system must allow execution.
    pub staging: Option<PathBuf>,
    /// The list of builds that are not tried again. A build that crashes the probe, or hangs it
    /// several times in a row, is added to it. Without a quarantine, each look at such a file costs another probe.
    pub quarantine: Option<Quarantine>,
    /// What takes the lines that plugins log during runs.
    pub run_log: Option<RunLog>,
}

impl Default for LoaderConfig {
    fn default() -> Self {
        Self {
            probe_program: None,
            probe_limit: Duration::from_secs(5),
            probe_memory: 2 << 30,
            size_cap: 256 << 20,
            staging: None,
            quarantine: None,
            run_log: None,
        }
    }
}

/// Why a [`Loader`](crate::Loader) cannot be created. No plugin is to blame for it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoaderError {
    /// The folder for private copies cannot be created.
    #[error("cannot make a staging folder for plugins: {0}")]
    Staging(#[source] io::Error),
    /// The probe program does not work as one.
    #[error("cannot probe plugins: {0}")]
    Probe(#[source] ProbeError),
}
