//! The steps of a load, in their order: check and copy, read the descriptor, probe, map.
//!
//! The types leave no way around a step: a [`Checked`] file comes from [`Loader::check`] alone,
//! an [`Inspected`] library from a checked file, and a [`ReadyLibrary`] from an inspected one.

mod config;
mod steps;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use hotbay_plugin_api::Manifest;
use hotbay_store::{
    quarantine::{Quarantine, QuarantinedBuild},
    rfc3339,
};

use crate::{
    LoadError, ProbeError, ReadyLibrary, Refusal, RunLog, Trust,
    blocking::run_on_thread,
    probe::{Probe, Probed},
    slots::Slots,
    staging::Staging,
};

pub use config::{LoaderConfig, LoaderError};
pub use steps::{Checked, Inspected};

/// Turns files into libraries that are ready to be mapped.
#[derive(Debug)]
pub struct Loader {
    staging: Arc<Staging>,
    probe: Probe,
    quarantine: Option<Quarantine>,
    run_log: Option<RunLog>,
    size_cap: u64,
    slots: Slots,
    /// The number of the next private copy.
    next_copy: AtomicU64,
}

impl Loader {
    /// Creates a loader with its own staging folder, and makes sure that its probe program is
    /// one.
    ///
    /// The probe program is started once without a library and has to answer. This blocks for
    /// as long as that program takes to reach [`serve_probe`](crate::serve_probe), usually a few
    /// milliseconds, and for five seconds at most. A running program that never called
    /// `serve_probe` is refused without being started a second time.
    ///
    /// # Errors
    /// [`LoaderError::Probe`] if the program cannot be started or does not serve the probe, and
    /// [`LoaderError::Staging`] if the staging folder cannot be created.
    pub fn new(config: LoaderConfig) -> Result<Self, LoaderError> {
        // A probe is started in another folder, so a relative path would not be found from there.
        // A name without a folder is looked up in PATH.
        let program = match config.probe_program {
            Some(path) if path.components().count() > 1 => {
                Some(std::path::absolute(&path).map_err(|source| {
                    LoaderError::Probe(ProbeError::Start { program: path, source })
                })?)
            }
            other => other,
        };
        let probe = Probe::new(program, config.probe_limit, config.probe_memory);
        probe.handshake().map_err(LoaderError::Probe)?;
        let staging = Staging::new(config.staging.as_deref()).map_err(LoaderError::Staging)?;
        Ok(Self {
            staging: Arc::new(staging),
            probe,
            quarantine: config.quarantine,
            run_log: config.run_log,
            size_cap: config.size_cap,
            slots: Slots::new(),
            next_copy: AtomicU64::new(0),
        })
    }

    /// Returns what takes the lines that plugins log during runs.
    pub fn run_log(&self) -> Option<RunLog> {
        self.run_log.clone()
    }

    /// Checks, copies and probes a file: [`check`](Self::check), then [`probe`](Self::probe).
    ///
    /// # Errors
    /// If the file is refused. The error names the file, the reason and the remedy.
    pub async fn inspect(&self, path: &Path, trust: &Arc<Trust>) -> Result<Inspected, LoadError> {
        self.slots.run(async { self.probe(self.check(path, trust).await?).await }).await
    }

    /// Checks a file and copies it to the staging folder. All later steps use the copy. No code
    /// of the file runs.
    ///
    /// # Errors
    /// If the file is refused. The error names the file, the reason and the remedy.
    pub async fn check(&self, path: &Path, trust: &Arc<Trust>) -> Result<Checked, LoadError> {
        tracing::debug!(file = %path.display(), "checking a library");
        let number = self.next_copy.fetch_add(1, Ordering::Relaxed);
        let (staging, cap) = (Arc::clone(&self.staging), self.size_cap);
        let (from, trust) = (path.to_owned(), Arc::clone(trust));
        let check = move || steps::check(from, &trust, &staging, number, cap);
        // Reading and hashing a large file would block the runtime.
        let checked = run_on_thread(check).await.map_err(thread_failed);
        checked.and_then(|checked| checked).map_err(|refusal| refusal.of(path))
    }

    /// Lets a child process load the copy. This runs code of the library for the first time.
    ///
    /// A failure that another cause than the library may have is seen twice before it counts.
    ///
    /// # Errors
    /// If the library is refused. The error names the file, the reason and the remedy.
    pub async fn probe(&self, mut checked: Checked) -> Result<Inspected, LoadError> {
        let known = self.refuse_quarantined(checked.hash());
        known.map_err(|refusal| refusal.of(&checked.path))?;
        let mut probed = self.probe_copy(&mut checked).await;
        if let Err(Refusal::ProbeKilled(_) | Refusal::Meddling(_)) = &probed {
            probed = self.probe_copy(&mut checked).await;
        }
        self.note(&checked, probed.as_ref().err());
        match probed {
            Ok(manifest) => {
                let Checked { path, descriptor, trusted_by, doubt, unloading, staged, .. } =
                    checked;
                Ok(Inspected { path, descriptor, manifest, trusted_by, doubt, unloading, staged })
            }
            Err(refusal) => Err(refusal.of(checked.path)),
        }
    }

    /// Probes the copy, and probes it again if its unique symbols turn out to be shared, so that
    /// the bytes that are mapped later have been probed.
    async fn probe_copy(&self, checked: &mut Checked) -> Result<Manifest, Refusal> {
        loop {
            let Checked { descriptor, unloading, staged, .. } = &*checked;
            let unique = match unloading.unique_kept {
                None => unloading.unique_symbols.as_slice(),
                Some(_) => &[],
            };
            match self.probe.run(&staged.path, descriptor, unique).await? {
                Probed { manifest, unique_kept: None } => return Ok(manifest),
                Probed { unique_kept: Some(_), manifest } if unique.is_empty() => {
                    return Ok(manifest);
                }
                Probed { unique_kept: Some(why), .. } => checked.keep_unique(why)?,
            }
        }
    }

    /// Refuses a build that is in quarantine, unless that is for a time limit which is longer by now.
    fn refuse_quarantined(&self, hash: &str) -> Result<(), Refusal> {
        let held = self.quarantine.as_ref().and_then(|quarantine| quarantine.find(hash));
        let is_worth_it = |limit: Duration| limit < self.probe.limit();
        match held.filter(|build| !build.limit.is_some_and(is_worth_it)) {
            Some(QuarantinedBuild { hash, reason, since, .. }) => {
                let since = rfc3339::seconds(since);
                Err(Refusal::Quarantined { since, reason, hash })
            }
            None => Ok(()),
        }
    }

    /// Notes in the quarantine how a probe ended: a build that crashed it is held at once. A build
    /// that did not come up in time, or whose probe was killed, is held when that repeats.
    fn note(&self, checked: &Checked, refusal: Option<&Refusal>) {
        let Some(quarantine) = &self.quarantine else { return };
        let build = |refusal: &Refusal| QuarantinedBuild {
            hash: checked.hash().to_owned(),
            file: std::path::absolute(&checked.path).unwrap_or_else(|_| checked.path.clone()),
            plugin: checked.descriptor.name.clone(),
            reason: refusal.to_string(),
            since: SystemTime::now(),
            limit: if let Refusal::ProbeTimeout { limit } = refusal { Some(*limit) } else { None },
        };
        let noted = match refusal {
            None => quarantine.clear(checked.hash()),
            Some(refusal @ Refusal::ProbeCrashed(_)) => quarantine.add(build(refusal)),
            Some(refusal @ (Refusal::ProbeKilled(_) | Refusal::ProbeTimeout { .. })) => {
                quarantine.suspect(build(refusal)).map(|is_held| {
                    if is_held {
                        let file = checked.path.display();
                        tracing::warn!(%file, "the build is in quarantine now: it {refusal}");
                    }
                })
            }
            Some(_) => return,
        };
        if let Err(error) = noted {
            tracing::warn!(%error, file = %checked.path.display(),
                "the quarantine can't be written; a build that did harm will be tried again");
        }
    }

    /// Checks that the copy of an inspected library is unchanged, because the probe ran code of
    /// it as this user. The library can be mapped then.
    ///
    /// # Errors
    /// If the copy was changed. The error names the file, the reason and the remedy.
    pub async fn ready(&self, inspected: Inspected) -> Result<ReadyLibrary, LoadError> {
        let Inspected { path, descriptor, unloading, staged, .. } = inspected;
        if let Some(why) = &unloading.unique_kept {
            let plugin = &descriptor.name;
            tracing::warn!(plugin, "a plugin will stay mapped once it is loaded: {why}");
        }
        let verify = move || staged.verify().map(|()| staged);
        let verified = run_on_thread(verify).await.map_err(thread_failed);
        match verified.and_then(|verified| verified) {
            Ok(staged) => Ok(ReadyLibrary::new(path, descriptor, staged)),
            Err(refusal) => Err(refusal.of(path)),
        }
    }
}

fn thread_failed(source: std::io::Error) -> Refusal {
    Refusal::host("running a thread for it", source)
}
