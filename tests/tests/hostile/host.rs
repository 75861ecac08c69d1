//! The host: this process, and what it must do with a file.

use std::{
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use hotbay::{
    loader::{LoadError, Loader, LoaderConfig, sweep},
    runtime::{Generation, UnloadOutcome},
};
use hotbay_tests::{PluginsFolder, hotbay, until};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::{good::HELLO, kind::Kind};

/// How long a library may take in the probe. Long, because the machine may be busy.
const LIMIT: Duration = Duration::from_secs(10);

/// How much memory it may have. Less than usual, since one of them takes it all.
const MEMORY: u64 = 512 << 20;

/// By how much a refusal may be later than the limit.
const SLACK: Duration = Duration::from_secs(2);

pub(crate) struct Host {
    loader: Loader,
    limit: Duration,
    /// Its path stands in the command lines of this host's probes and their forks.
    staging: TempDir,
}

pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::with_limit(LIMIT)
    }

    pub(crate) fn with_limit(limit: Duration) -> Self {
        let staging = tempfile::tempdir().unwrap();
        let config = LoaderConfig {
            probe_program: Some(hotbay().to_owned()),
            probe_limit: limit,
            probe_memory: MEMORY,
            staging: Some(staging.path().to_owned()),
            ..LoaderConfig::default()
        };
        Self { loader: Loader::new(config).unwrap(), limit, staging }
    }

    /// Refuses a file of this kind: by its path, with one of the kind's reasons and a remedy,
    /// in time, and with nothing left of the probe. Otherwise says what is wrong.
    pub(crate) async fn refuse(&self, kind: &Kind) -> Result<(), String> {
        let (name, folder) = (kind.name, PluginsFolder::with(&[]));
        let Some(file) = kind.file(&folder) else {
            eprintln!("left out, for want of rights: {name}");
            return Ok(());
        };
        let began = Instant::now();
        let looked = self.loader.inspect(&file, &Arc::default()).await;
        let took = began.elapsed();
        self.has_no_probe_left(name);
        // What is good in the probe may yet be found out when it comes to loading.
        let error = match looked {
            Err(error) => error,
            Ok(inspected) => {
                match Generation::load(&self.loader, inspected, NonZeroUsize::MIN).await {
                    Err(error) => error,
                    Ok(_) => return Err(format!("{name}: it was let in")),
                }
            }
        };
        eprintln!("{name} ({took:.1?}): {error}");
        says_what_is_needed(&error, &file);
        if !kind.codes.contains(&error.refusal.code().as_str()) {
            return Err(format!("{name}: not {:?}, but {error}", kind.codes));
        }
        if took > self.limit + SLACK {
            return Err(format!("{name}: it took {took:?}"));
        }
        Ok(())
    }

    pub(crate) async fn still_loads_a_good_plugin(&self) {
        let folder = PluginsFolder::with(&[]);
        self.loads_file("a good plugin", &folder.write("good.so", &HELLO)).await;
    }

    /// Loads a file that this makes, and unmaps it.
    pub(crate) async fn loads(&self, name: &str, make: fn(&PluginsFolder) -> PathBuf) {
        let folder = PluginsFolder::with(&[]);
        self.loads_file(name, &make(&folder)).await;
    }

    async fn loads_file(&self, name: &str, file: &Path) {
        let mut inspected = self.loader.inspect(file, &Arc::default()).await;
        for _ in 0..5 {
            // A limit that is short for what hangs may be so for a busy machine as well.
            if inspected.as_ref().is_err_and(|it| it.refusal.code().as_str() == "probe-timeout") {
                inspected = self.loader.inspect(file, &Arc::default()).await;
            }
        }
        let inspected = inspected.unwrap_or_else(|error| panic!("{name}: {error}"));
        let loaded = Generation::load(&self.loader, inspected, NonZeroUsize::MIN).await;
        let loaded = loaded.unwrap_or_else(|error| panic!("{name}: {error}"));
        match loaded.close(LIMIT).await {
            // A thread of another test that never slept meanwhile may have kept it for a moment.
            UnloadOutcome::Retained(library) => until(&format!("{name} to be unmapped"), || {
                sweep();
                library.is_unmapped().then_some(())
            }),
            UnloadOutcome::Unmapped => {}
            closed @ (UnloadOutcome::Linked | UnloadOutcome::StillRunning { .. }) => {
                panic!("{name}: {closed:?}")
            }
        }
    }

    pub(crate) async fn inspect(&self, file: &Path) -> Result<(), LoadError> {
        self.loader.inspect(file, &Arc::default()).await.map(drop)
    }

    pub(crate) fn has_no_probe_left(&self, name: &str) {
        let staging = self.staging.path().to_str().unwrap();
        // The kernel may take a moment to end what was killed.
        until(&format!("the probe of {name} to leave no process"), || {
            let processes = fs::read_dir("/proc").unwrap().flatten();
            let left = processes.filter(|process| {
                let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
                String::from_utf8_lossy(&line).contains(staging)
            });
            (left.count() == 0).then_some(())
        });
    }
}

/// The file, a reason that programs can read, and what to do about it.
pub(crate) fn says_what_is_needed(error: &LoadError, file: &Path) {
    assert_eq!(error.path, file);
    let text = error.to_string();
    let (code, remedy) = (error.refusal.code().as_str(), error.refusal.remedy());
    assert!(text.contains(&file.display().to_string()), "{text}");
    assert!(!code.is_empty() && !remedy.is_empty() && text.contains(remedy), "{text}");
}
