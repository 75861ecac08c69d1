//! The order of a load: check and copy, read the descriptor, probe, load.
//!
//! No way leads around a step: [`Checked`] comes from [`Loader::check`] alone,
//! [`Inspected`] from a `Checked`, and only that can be loaded.

use std::{
    fs::File,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use hotbay_plugin_api::Manifest;

use super::{
    BayConfig, Descriptor, Generation, Held, LoadError, Quarantine, Refusal, access,
    apart::apart,
    elf::read_descriptor_of,
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

/// Loads plugins, one generation after the other.
#[derive(Debug)]
pub struct Loader {
    staging: Arc<Staging>,
    probe: Probe,
    quarantine: Option<Quarantine>,
    size_cap: u64,
    generations: AtomicU64,
}

/// A file that may be looked at further: what it is, whose it is and what it says of
/// itself were checked, and none of its code has run.
#[derive(Debug)]
pub struct Checked {
    /// The file.
    pub path: PathBuf,
    /// What stands in its ELF section.
    pub descriptor: Descriptor,
    staged: Staged,
}

impl Checked {
    /// The SHA-256 of the bytes, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.staged.hash
    }
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
    /// If the staging folder can't be made.
    pub fn new(config: LoaderConfig) -> std::io::Result<Self> {
        // A probe starts in another folder. What has no folder is looked up in PATH.
        let program = match config.probe_program {
            Some(path) if path.components().count() > 1 => Some(std::path::absolute(path)?),
            other => other,
        };
        Ok(Self {
            staging: Arc::new(Staging::new(config.staging.as_deref())?),
            probe: Probe::new(program, config.probe_limit, config.probe_memory),
            quarantine: config.quarantine,
            size_cap: config.size_cap,
            generations: AtomicU64::new(0),
        })
    }

    /// Checks, copies and probes a file: [`check`](Self::check), then [`probe`](Self::probe).
    ///
    /// # Errors
    /// Names the file, the reason and the remedy.
    pub async fn inspect(&self, path: &Path) -> Result<Inspected, LoadError> {
        self.probe(self.check(path).await?).await
    }

    /// Checks a file and copies it; what is looked at from here on is the copy.
    ///
    /// # Errors
    /// Names the file, the reason and the remedy.
    pub async fn check(&self, path: &Path) -> Result<Checked, LoadError> {
        let number = self.generations.fetch_add(1, Ordering::Relaxed);
        let (staging, cap) = (Arc::clone(&self.staging), self.size_cap);
        let from = path.to_owned();
        let check = move || {
            let staged = staging.copy(access::open(&from, cap)?, number)?;
            let copy = File::open(&staged.path).map_err(|_| Refusal::Changed)?;
            let descriptor = read_descriptor_of(copy)?;
            Ok::<_, Refusal>(Checked { path: from, descriptor, staged })
        };
        // Reading and hashing a large file takes long enough to be in the way.
        let checked = apart(check).await.map_err(|error| Refusal::Host(error.to_string()));
        checked.and_then(|checked| checked).map_err(|refusal| refusal.of(path))
    }

    /// Has a child process load the copy, which runs code of it for the first time.
    ///
    /// # Errors
    /// Names the file, the reason and the remedy.
    pub async fn probe(&self, checked: Checked) -> Result<Inspected, LoadError> {
        let known = self.known_harm(checked.hash());
        known.map_err(|refusal| refusal.of(&checked.path))?;
        match self.probe.run(&checked.staged.path, &checked.descriptor).await {
            Ok(manifest) => {
                let Checked { path, descriptor, staged } = checked;
                Ok(Inspected { path, descriptor, manifest, staged })
            }
            Err(refusal) => {
                self.note_harm(&checked, &refusal);
                Err(refusal.of(checked.path))
            }
        }
    }

    /// Refuses a build that did harm before.
    fn known_harm(&self, hash: &str) -> Result<(), Refusal> {
        match self.quarantine.as_ref().and_then(|quarantine| quarantine.find(hash)) {
            Some(Held { hash, reason, since, .. }) => {
                let since = humantime::format_rfc3339_seconds(since).to_string();
                Err(Refusal::Quarantined { since, reason, hash })
            }
            None => Ok(()),
        }
    }

    /// Puts a build into quarantine if the probe did not survive it.
    fn note_harm(&self, checked: &Checked, refusal: &Refusal) {
        let Some(quarantine) = &self.quarantine else { return };
        if !matches!(refusal, Refusal::ProbeCrashed(_) | Refusal::ProbeTimeout { .. }) {
            return;
        }
        let held = Held {
            hash: checked.hash().to_owned(),
            file: std::path::absolute(&checked.path).unwrap_or_else(|_| checked.path.clone()),
            plugin: checked.descriptor.name.clone(),
            reason: refusal.to_string(),
            since: SystemTime::now(),
        };
        if let Err(error) = quarantine.add(held) {
            tracing::warn!(%error, file = %checked.path.display(),
                "it can't be put into quarantine and will be tried again");
        }
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
        let verify = move || staged.verify().map(|()| staged);
        let load = async {
            let staged =
                apart(verify).await.map_err(|error| Refusal::Host(error.to_string()))??;
            let config = BayConfig { name: descriptor.name.clone(), threads };
            Generation::load(staged, path.clone(), descriptor, &config).await
        };
        load.await.map_err(|refusal| refusal.of(path))
    }
}
