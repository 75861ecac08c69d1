//! Closing builds that are out of service, in the background.
//!
//! A build is closed once: its runs are drained, its components are shut down, its generation is
//! closed. If its library stays mapped, the build is kept as an [`UnloadFailure`] until the library
//! is unmapped after all.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    task::{JoinError, JoinHandle, JoinSet, spawn_blocking},
    time::timeout,
};

use super::LoadedPlugin;
use crate::status::{BuildState, PluginStatus};
use hotbay_loader::{RetainedLibrary, TrustedBy, sweep};
use hotbay_runtime::{
    UnloadOutcome,
    replacement::{ComponentBuild, call_hook},
};
use hotbay_store::record::Build;
use hotbay_tasks::TaskBuild;

/// The time that a plugin's threads get to end when its build is closed.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// The time that all plugins together get to be closed when the host ends.
const FINISH_LIMIT: Duration = Duration::from_secs(10);

/// The time between two attempts to unmap the libraries that are still mapped.
const RETRY_INTERVAL: Duration = Duration::from_secs(3);

/// A build that is out of service, and what has to end before it is closed.
pub(crate) struct ClosingPlugin {
    pub(crate) plugin: LoadedPlugin,
    /// The tasks of the build, whose runs under way have `drain` to end.
    pub(crate) tasks: Vec<Arc<TaskBuild>>,
    pub(crate) drain: Duration,
    /// The components whose `shutdown` is to be called.
    pub(crate) hooks: Vec<ComponentBuild>,
}

/// A build whose library could not be unmapped.
#[derive(Debug, Clone)]
pub(crate) struct UnloadFailure {
    plugin: String,
    build: Build,
    file: PathBuf,
    trusted_by: TrustedBy,
    loaded: String,
    mapped_bytes: u64,
    cause: StillMapped,
}

/// Why a library is still mapped.
#[derive(Debug, Clone)]
enum StillMapped {
    /// Threads or calls did not end in time: the library stays mapped for good.
    Running { threads: usize },
    /// The library may be unmapped later.
    Retained(RetainedLibrary),
}

impl ClosingPlugin {
    /// Closes a build of which nothing is under way any more.
    pub(crate) fn of(plugin: LoadedPlugin) -> Self {
        Self { plugin, tasks: Vec::new(), drain: Duration::ZERO, hooks: Vec::new() }
    }

    async fn run(self) -> Result<(), Box<UnloadFailure>> {
        let Self { plugin, tasks, drain, hooks } = self;
        for task in &tasks {
            task.drain(drain).await;
        }
        // The tasks have objects in the generation, which have to be dropped before it is closed.
        drop(tasks);
        for component in &hooks {
            call_hook(&component.task, plugin.generation.handle()).await;
        }
        drop(hooks);
        let build = plugin.build();
        let LoadedPlugin { generation, file, loaded, trusted_by, mapped_bytes, .. } = plugin;
        let plugin = generation.name().to_owned();
        // An operation that was aborted may still hold the generation, which then closes itself
        // when that operation drops it.
        let Some(generation) = Arc::into_inner(generation) else { return Ok(()) };
        let cause = match generation.close(CLOSE_LIMIT).await {
            UnloadOutcome::Unmapped | UnloadOutcome::Linked => return Ok(()),
            UnloadOutcome::StillRunning { threads } => StillMapped::Running { threads },
            UnloadOutcome::Retained(library) => StillMapped::Retained(library),
        };
        Err(Box::new(UnloadFailure {
            plugin,
            build,
            file,
            trusted_by,
            loaded,
            mapped_bytes,
            cause,
        }))
    }
}

impl UnloadFailure {
    pub(crate) fn status(&self) -> PluginStatus {
        PluginStatus {
            name: self.plugin.clone(),
            version: self.build.version.clone(),
            generation: self.build.generation.unwrap_or_default(),
            state: BuildState::Leaked,
            hash: self.build.hash.clone(),
            file: self.file.clone(),
            trusted_by: self.trusted_by.clone(),
            loaded: self.loaded.clone(),
            threads: self.threads(),
            mapped_bytes: self.mapped_bytes,
            reason: Some(self.reason()),
        }
    }

    /// Returns a sentence for logs and reports.
    pub(crate) fn text(&self) -> String {
        format!("{} stays mapped: {}", self.name(), self.reason())
    }

    fn name(&self) -> String {
        let number = self.build.generation.unwrap_or_default();
        format!("plugin {} (generation {number})", self.plugin)
    }

    fn threads(&self) -> usize {
        match &self.cause {
            StillMapped::Running { threads } => *threads,
            StillMapped::Retained(library) => library.threads(),
        }
    }

    fn reason(&self) -> String {
        match &self.cause {
            StillMapped::Running { threads } => {
                format!("{threads} of its threads or calls did not end")
            }
            StillMapped::Retained(library) => library.reason(),
        }
    }

    /// Returns `true` if the library has been unmapped since.
    pub(crate) fn is_over(&self) -> bool {
        matches!(&self.cause, StillMapped::Retained(library) if library.is_unmapped())
    }
}

/// The builds that are being closed, and those that could not be unmapped.
#[derive(Debug, Default)]
pub(crate) struct ClosingPlugins {
    under_way: JoinSet<Result<(), Box<UnloadFailure>>>,
    /// The builds whose libraries could not be unmapped.
    pub(crate) leaks: Vec<UnloadFailure>,
    /// The attempt to unmap them that is under way.
    retry: Option<JoinHandle<()>>,
    /// The time at which that attempt began.
    retried: Option<Instant>,
}

impl ClosingPlugins {
    /// Closes a build in the background.
    pub(crate) fn begin(&mut self, closing: ClosingPlugin) {
        self.under_way.spawn(closing.run());
    }

    /// Returns the number of builds that are being closed.
    pub(crate) fn len(&self) -> usize {
        self.under_way.len()
    }

    /// Waits until a build was closed. Never completes if none is being closed.
    pub(crate) async fn next(&mut self) {
        match self.under_way.join_next().await {
            Some(closed) => self.on_closed(closed),
            None => std::future::pending().await,
        }
    }

    /// Waits until all builds are closed, at most for [`FINISH_LIMIT`].
    pub(crate) async fn finish(&mut self) {
        let all = async {
            while let Some(closed) = self.under_way.join_next().await {
                self.on_closed(closed);
            }
            self.retry_now().await;
        };
        if timeout(FINISH_LIMIT, all).await.is_err() {
            tracing::warn!(left = self.under_way.len(), "builds are still being closed");
        }
    }

    /// Tries again, from time to time and in the background, to unmap libraries that could not be
    /// unmapped before.
    pub(crate) fn retry_in_background(&mut self) {
        self.forget_unmapped();
        let waits = self.leaks.iter().any(|leak| matches!(leak.cause, StillMapped::Retained(_)));
        let is_idle = self.retry.as_ref().is_none_or(JoinHandle::is_finished);
        if waits && is_idle && self.retried.is_none_or(|began| began.elapsed() >= RETRY_INTERVAL) {
            self.retry = Some(spawn_blocking(sweep));
            self.retried = Some(Instant::now());
        }
    }

    /// Tries again at once to unmap libraries that could not be unmapped before.
    async fn retry_now(&mut self) {
        if !self.leaks.is_empty() && spawn_blocking(sweep).await.is_ok() {
            self.forget_unmapped();
        }
    }

    /// Forgets the builds whose libraries have been unmapped since.
    fn forget_unmapped(&mut self) {
        for leak in self.leaks.extract_if(.., |leak| leak.is_over()) {
            tracing::info!("{} is unmapped at last", leak.name());
        }
    }

    fn on_closed(&mut self, closed: Result<Result<(), Box<UnloadFailure>>, JoinError>) {
        match closed {
            Ok(Ok(())) => {}
            Ok(Err(leak)) => {
                tracing::warn!("{}", leak.text());
                self.leaks.push(*leak);
            }
            Err(error) => tracing::error!(%error, "closing a plugin failed"),
        }
        // Closing a build also sweeps the libraries that are still mapped.
        self.forget_unmapped();
    }
}
