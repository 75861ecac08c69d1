//! Closing builds that are out of service, beside everything else.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    task::{JoinHandle, JoinSet, spawn_blocking},
    time::timeout,
};

use super::LoadedPlugin;
use crate::status::{BuildState, PluginStatus};
use hotbay_loader::{RetainedLibrary, TrustedBy, sweep};
use hotbay_runtime::{
    Closed,
    change::{Seated, call_hook},
};
use hotbay_store::record::Build;
use hotbay_tasks::TaskBuild;

/// How long a plugin's threads get to end when the host closes it.
const LIMIT: Duration = Duration::from_secs(5);

/// How long a component gets to shut down.
const HOOK: Duration = Duration::from_secs(2);

/// How often what could not be unloaded is tried again.
const AGAIN: Duration = Duration::from_secs(3);

/// A build that is out of service, and what has to end before it is closed.
pub(crate) struct Closing {
    pub(crate) plugin: LoadedPlugin,
    /// Whose runs under way may end within the limit.
    pub(crate) tasks: Vec<Arc<TaskBuild>>,
    pub(crate) drain: Duration,
    /// Whose `shutdown` is due.
    pub(crate) hooks: Vec<Seated>,
}

/// How a build went.
#[derive(Debug)]
pub(crate) enum Gone {
    Wholly,
    Leaked(Box<Leak>),
}

/// A build that could not be unloaded.
#[derive(Debug, Clone)]
pub(crate) struct Leak {
    plugin: String,
    build: Build,
    file: PathBuf,
    trusted_by: TrustedBy,
    loaded: String,
    mapped_bytes: u64,
    what: Leaked,
}

/// What is left of a build.
#[derive(Debug, Clone)]
enum Leaked {
    /// Threads or calls that did not end in time: it stays for good.
    Running { threads: usize },
    /// What may go yet.
    Remains(RetainedLibrary),
}

impl Closing {
    /// Nothing of this build is under way any more.
    pub(crate) fn of(plugin: LoadedPlugin) -> Self {
        Self { plugin, tasks: Vec::new(), drain: Duration::ZERO, hooks: Vec::new() }
    }

    async fn run(self) -> Gone {
        let Self { plugin, tasks, drain, hooks } = self;
        for task in &tasks {
            task.drain(drain).await;
        }
        // Their objects live in the generation: they go before it does.
        drop(tasks);
        for seated in &hooks {
            call_hook(&seated.task, plugin.generation.handle(), HOOK).await;
        }
        drop(hooks);
        let (build, mapped_bytes) = (plugin.build(), plugin.generation.mapped_bytes());
        let LoadedPlugin { generation, file, loaded, trusted_by, .. } = plugin;
        let plugin = generation.name().to_owned();
        // An operation that was aborted may hold it for a moment longer; then it closes itself.
        let Some(generation) = Arc::into_inner(generation) else { return Gone::Wholly };
        let what = match generation.close(LIMIT).await {
            Closed::Unmapped | Closed::Linked => return Gone::Wholly,
            Closed::StillRunning { threads } => Leaked::Running { threads },
            Closed::Kept(remains) => Leaked::Remains(remains),
        };
        Gone::Leaked(Box::new(Leak { plugin, build, file, trusted_by, loaded, mapped_bytes, what }))
    }
}

impl Leak {
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

    /// A sentence for people.
    pub(crate) fn text(&self) -> String {
        format!("{} stays mapped: {}", self.name(), self.reason())
    }

    fn name(&self) -> String {
        let number = self.build.generation.unwrap_or_default();
        format!("plugin {} (generation {number})", self.plugin)
    }

    fn threads(&self) -> usize {
        match &self.what {
            Leaked::Running { threads } => *threads,
            Leaked::Remains(remains) => remains.threads(),
        }
    }

    fn reason(&self) -> String {
        match &self.what {
            Leaked::Running { threads } => format!("{threads} of its threads or calls did not end"),
            Leaked::Remains(remains) => remains.reason(),
        }
    }

    /// Returns `true` if the library is unmapped by now.
    pub(crate) fn is_over(&self) -> bool {
        matches!(&self.what, Leaked::Remains(remains) if remains.is_unmapped())
    }
}

/// The builds that are being closed.
#[derive(Debug, Default)]
pub(crate) struct Closings {
    under_way: JoinSet<Gone>,
    /// Those that could not be unloaded.
    pub(crate) leaks: Vec<Leak>,
    trying: Option<JoinHandle<()>>,
    tried: Option<Instant>,
}

impl Closings {
    /// Closes a build in the background.
    pub(crate) fn begin(&mut self, closing: Closing) {
        self.under_way.spawn(closing.run());
    }

    /// How many are being closed.
    pub(crate) fn len(&self) -> usize {
        self.under_way.len()
    }

    /// Waits until one was closed; forever if none is being closed.
    pub(crate) async fn next(&mut self) {
        match self.under_way.join_next().await {
            Some(gone) => self.note(gone),
            None => std::future::pending().await,
        }
    }

    /// Waits for all, within a limit.
    pub(crate) async fn finish(&mut self, limit: Duration) {
        let all = async {
            while let Some(gone) = self.under_way.join_next().await {
                self.note(gone);
            }
            self.try_again().await;
        };
        if timeout(limit, all).await.is_err() {
            tracing::warn!(left = self.under_way.len(), "builds are still being closed");
        }
    }

    /// Tries to unload what could not be unloaded before, from time to time and in the
    /// background.
    pub(crate) fn look_again(&mut self) {
        self.forget();
        let waits = self.leaks.iter().any(|leak| matches!(leak.what, Leaked::Remains(_)));
        let is_idle = self.trying.as_ref().is_none_or(JoinHandle::is_finished);
        if waits && is_idle && self.tried.is_none_or(|tried| tried.elapsed() >= AGAIN) {
            self.trying = Some(spawn_blocking(sweep));
            self.tried = Some(Instant::now());
        }
    }

    /// Tries now.
    pub(crate) async fn try_again(&mut self) {
        if !self.leaks.is_empty() && spawn_blocking(sweep).await.is_ok() {
            self.forget();
        }
    }

    /// What is over is no leak any more.
    fn forget(&mut self) {
        for leak in self.leaks.extract_if(.., |leak| leak.is_over()) {
            tracing::info!("{} is unmapped at last", leak.name());
        }
    }

    fn note(&mut self, gone: Result<Gone, tokio::task::JoinError>) {
        match gone {
            Ok(Gone::Wholly) => {}
            Ok(Gone::Leaked(leak)) => {
                tracing::warn!("{}", leak.text());
                self.leaks.push(*leak);
            }
            Err(error) => tracing::error!(%error, "closing a plugin failed"),
        }
        // Each one that is closed gives the others another chance.
        self.forget();
    }
}
