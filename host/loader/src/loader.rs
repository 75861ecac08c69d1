//! The order of a load: check and copy, read the descriptor, probe, load.
//!
//! No way leads around a step: [`Checked`] comes from [`Loader::check`] alone,
//! [`Inspected`] from a `Checked`, and only that can be loaded.

mod config;
mod steps;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use crate::{
    Held, LoadError, Quarantine, ReadyLibrary, Refusal, Trust, apart::apart, probe::Probe,
    staging::Staging,
};

pub use config::LoaderConfig;
pub use steps::{Checked, Inspected};

/// Loads plugins, one generation after the other.
#[derive(Debug)]
pub struct Loader {
    staging: Arc<Staging>,
    probe: Probe,
    quarantine: Option<Quarantine>,
    size_cap: u64,
    generations: AtomicU64,
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
    pub async fn inspect(&self, path: &Path, trust: &Arc<Trust>) -> Result<Inspected, LoadError> {
        self.probe(self.check(path, trust).await?).await
    }

    /// Checks a file and copies it; what is looked at from here on is the copy. None of its
    /// code runs.
    ///
    /// # Errors
    /// Names the file, the reason and the remedy.
    pub async fn check(&self, path: &Path, trust: &Arc<Trust>) -> Result<Checked, LoadError> {
        let number = self.generations.fetch_add(1, Ordering::Relaxed);
        let (staging, cap) = (Arc::clone(&self.staging), self.size_cap);
        let (from, trust) = (path.to_owned(), Arc::clone(trust));
        let check = move || steps::look(from, &trust, &staging, number, cap);
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
                let Checked { path, descriptor, trusted_by, doubt, staged } = checked;
                Ok(Inspected { path, descriptor, manifest, trusted_by, doubt, staged })
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

    /// Checks that the copy of an inspected file is unchanged, since the probe ran code of it
    /// as the same user. The library can be mapped then.
    ///
    /// # Errors
    /// Names the file, the reason and the remedy.
    pub async fn ready(&self, inspected: Inspected) -> Result<ReadyLibrary, LoadError> {
        let Inspected { path, descriptor, staged, .. } = inspected;
        let verify = move || staged.verify().map(|()| staged);
        let verified = apart(verify).await.map_err(|error| Refusal::Host(error.to_string()));
        match verified.and_then(|verified| verified) {
            Ok(staged) => Ok(ReadyLibrary::new(path, descriptor, staged)),
            Err(refusal) => Err(refusal.of(path)),
        }
    }
}
