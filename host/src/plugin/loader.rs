//! The order of a load: copy and hash, read the descriptor, probe, load.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use hotbay_plugin_api::Manifest;

use super::{
    BayConfig, Descriptor, Generation, LoadError, Refusal,
    elf::read_descriptor,
    probe::Probe,
    staging::{Staged, Staging},
};

/// How plugins are loaded.
#[derive(Debug, Clone)]
pub struct LoaderConfig {
    /// The program that probes: a `hotbay` binary. By default this very program,
    /// which then calls [`serve_probe`](super::serve_probe) first thing in `main`.
    pub probe_program: Option<PathBuf>,
    /// How long a library may take to load in the probe.
    pub probe_limit: Duration,
    /// The largest file that is looked at, in bytes.
    pub size_cap: u64,
    /// Where the private copies go; the system's temporary folder by default.
    /// Its file system must allow execution.
    pub staging: Option<PathBuf>,
}

impl Default for LoaderConfig {
    fn default() -> Self {
        Self {
            probe_program: None,
            probe_limit: Duration::from_secs(5),
            size_cap: 256 << 20,
            staging: None,
        }
    }
}

/// Loads plugins, one generation after the other.
#[derive(Debug)]
pub struct Loader {
    staging: Staging,
    probe: Probe,
    size_cap: u64,
    generations: AtomicU64,
}

/// A library that stood every test short of being loaded here.
#[derive(Debug)]
pub struct Inspected {
    /// The file.
    pub path: PathBuf,
    /// What stands in its ELF section.
    pub descriptor: Descriptor,
    /// What it says about itself.
    pub manifest: Manifest,
    staged: Staged,
}

impl Inspected {
    /// The SHA-256 of the bytes, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.staged.hash
    }
}

impl Loader {
    /// A loader with a staging folder of its own.
    ///
    /// # Errors
    /// If the staging folder can't be made, or this program's path can't be found.
    pub fn new(config: LoaderConfig) -> std::io::Result<Self> {
        let program = match config.probe_program {
            Some(program) => program,
            None => std::env::current_exe()?,
        };
        Ok(Self {
            staging: Staging::new(config.staging.as_deref())?,
            probe: Probe { program, limit: config.probe_limit },
            size_cap: config.size_cap,
            generations: AtomicU64::new(0),
        })
    }

    /// Copies, hashes and probes a file.
    ///
    /// # Errors
    /// Names the file, the reason and the remedy.
    pub async fn inspect(&self, path: &Path) -> Result<Inspected, LoadError> {
        let number = self.generations.fetch_add(1, Ordering::Relaxed);
        let staged = self.staging.copy(path, number, self.size_cap)?;
        let refuse = |refusal: Refusal| refusal.of(path);
        let descriptor = read_descriptor(&staged.bytes).map_err(refuse)?;
        let manifest = self.probe.run(&staged.path, &descriptor).await.map_err(refuse)?;
        let staged = staged.without_bytes();
        Ok(Inspected { path: path.to_owned(), descriptor, manifest, staged })
    }

    /// Loads a file that was inspected, with `threads` threads for its tasks.
    ///
    /// # Errors
    /// Names the file, the reason and the remedy.
    pub async fn load(
        &self,
        inspected: Inspected,
        threads: NonZeroUsize,
    ) -> Result<Generation, LoadError> {
        let Inspected { path, descriptor, staged, .. } = inspected;
        let config = BayConfig { name: descriptor.name.clone(), threads };
        let loaded = Generation::load(staged, path.clone(), descriptor, &config).await;
        loaded.map_err(|refusal| refusal.of(path))
    }
}
