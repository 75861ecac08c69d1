//! How a loader is set up.

use std::{path::PathBuf, time::Duration};

use crate::Quarantine;

/// How plugins are loaded.
#[derive(Debug, Clone)]
pub struct LoaderConfig {
    /// The program that probes: a `hotbay` binary. By default this very program,
    /// which then calls [`serve_probe`](crate::serve_probe) first thing in `main`.
    pub probe_program: Option<PathBuf>,
    /// How long a library may take to load in the probe.
    pub probe_limit: Duration,
    /// How many bytes the probe may map, the hotbay program itself included.
    pub probe_memory: u64,
    /// The largest file that is looked at, in bytes.
    pub size_cap: u64,
    /// Where the private copies go; the system's temporary folder by default.
    /// Its file system must allow execution.
    pub staging: Option<PathBuf>,
    /// Where builds that harm the probe are noted, and not tried again. Without it, each
    /// look at such a file costs another probe.
    pub quarantine: Option<Quarantine>,
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
        }
    }
}
