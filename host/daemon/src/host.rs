//! A host, which is prepared from a configuration, runs, and returns a report of its run.

mod load;
mod start;

use std::{collections::BTreeMap, future::Future, path::PathBuf, sync::Arc, time::Instant};

use hotbay_config::{Config, Diagnostics};
use hotbay_loader::{Loader, LoaderConfig, Trust};
use hotbay_runtime::Board;
use hotbay_store::{quarantine::Quarantine, record::Journal};
use hotbay_tasks::{
    DryRun, LastEnd, OpenedStore, RunLines, ScheduleInWords, ScheduledTask, run_log,
};
use tokio::task::spawn_blocking;

use crate::{
    HostError, HostHandle,
    actor::StopReason,
    configuration::ConfigSource,
    handle::HostEndpoint,
    plugins::{ClosingPlugin, ClosingPlugins, LoadedPlugin},
    refused::RefusedFile,
    report::Report,
    resolve::ResolvedPlugin,
    state_folder::StateFolder,
    trust,
};
use start::services;

/// A host with its plugins loaded and its configuration checked against them.
#[derive(Debug)]
pub struct Host {
    config: Config,
    plugins: BTreeMap<String, LoadedPlugin>,
    /// The loaded plugins, resolved against the configuration when that was checked.
    resolved: BTreeMap<String, ResolvedPlugin>,
    loader: Arc<Loader>,
    trust: Arc<Trust>,
    warnings: Diagnostics,
    /// The files that were refused at the start, for the status.
    refused: BTreeMap<PathBuf, RefusedFile>,
    source: Option<ConfigSource>,
    lost_log_lines: fn() -> u64,
    handle: HostHandle,
    endpoint: HostEndpoint,
    run_lines: RunLines,
    /// How the host before ended.
    last_end: LastEnd,
}

/// Opens the store in the state folder. A host that replays a recording has none.
async fn open_store(
    config: &Config,
    state: Option<&StateFolder>,
) -> Result<OpenedStore, HostError> {
    let folder = match state {
        Some(state) => state.path().to_owned(),
        None if config.follows_changes() => {
            return Ok(OpenedStore::without_folder(&config.state_folder));
        }
        None => return Ok(OpenedStore::none()),
    };
    let opened = spawn_blocking(move || OpenedStore::open(&folder)).await;
    let opened = opened.map_err(|error| HostError::System(error.to_string()))?;
    opened.map_err(|error| HostError::System(error.to_string()))
}

impl Host {
    /// Loads the plugins and checks the configuration against them, without running anything.
    ///
    /// What a running host puts up with, a host that follows changes puts up with here, too: a plugin
    /// that cannot be loaded, has broken settings, or asks for what is not honoured is left out, with
    /// a warning. A host that does not follow changes needs all of its plugins.
    ///
    /// # Errors
    /// If the configuration is not valid. The error lists all problems, not only the first.
    pub async fn prepare(config: Config) -> Result<Self, HostError> {
        Self::prepare_with(config, None).await
    }

    /// Like [`prepare`](Self::prepare), with another program to probe libraries: a `hotbay`
    /// binary. This is for programs that don't call [`serve_probe`](hotbay_loader::serve_probe)
    /// themselves.
    ///
    /// # Errors
    /// If the configuration is not valid. The error lists all problems, not only the first.
    pub async fn prepare_with(
        config: Config,
        probe_program: Option<PathBuf>,
    ) -> Result<Self, HostError> {
        let trust = trust::read(&config).map_err(HostError::Configuration)?;
        StateFolder::check(&config.state_folder)?;
        let (run_log, run_lines) = run_log();
        let loader = LoaderConfig {
            run_log: Some(run_log),
            probe_limit: config.plugins.probe_timeout,
            probe_program,
            quarantine: Some(Quarantine::open(&config.state_folder)),
            ..LoaderConfig::default()
        };
        let loader = Loader::new(loader).map_err(|error| HostError::System(error.to_string()))?;
        let loader = Arc::new(loader);
        let (handle, endpoint) = HostHandle::new();
        let mut host = Self {
            config,
            plugins: BTreeMap::new(),
            resolved: BTreeMap::new(),
            loader,
            trust,
            warnings: Diagnostics::new(),
            refused: BTreeMap::new(),
            source: None,
            lost_log_lines: || 0,
            handle,
            endpoint,
            run_lines,
            last_end: LastEnd::Unknown,
        };
        let found = host.load_and_check().await?;
        if found.has_errors() {
            host.close().await;
            return Err(HostError::Configuration(found));
        }
        host.warnings = found;
        host.warnings.append(host.config.warnings.clone());
        Ok(host)
    }

    /// Returns the warnings found while the configuration and the plugins folder were checked.
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// Returns `true` if the host follows changes of its plugins folder and its configuration.
    pub fn follows_changes(&self) -> bool {
        self.config.follows_changes()
    }

    /// Returns `true` if there is anything to run: a pipeline, or at least one task.
    pub fn has_work(&self) -> bool {
        self.config.pipeline.is_some() || self.task_count() > 0
    }

    /// Returns the number of components of the pipeline.
    pub fn component_count(&self) -> usize {
        self.config.pipeline.as_ref().map_or(0, |pipeline| pipeline.components().count())
    }

    /// Returns the number of tasks that are to run.
    pub fn task_count(&self) -> usize {
        self.resolved.values().map(|plugin| plugin.tasks.len()).sum()
    }

    /// Returns the ids of the tasks that are to run, with their schedules and the next times at which
    /// they are due.
    pub fn schedules(&self) -> Vec<(String, ScheduleInWords)> {
        let tasks = self.resolved.values().flat_map(|plugin| &plugin.tasks);
        tasks.filter_map(|task| Some((task.id(), task.in_words()?))).collect()
    }

    /// Returns the schedule of a task, given its id or its name, to compute its times.
    ///
    /// # Errors
    /// If there is no such task, or it has no times.
    pub fn dry_run(&self, name: &str) -> Result<DryRun, String> {
        let tasks = self.resolved.values().flat_map(|plugin| &plugin.tasks);
        DryRun::task(ScheduledTask::find(name, tasks)?)
    }

    /// Closes the plugins without running anything.
    pub async fn close(self) {
        let mut closing = ClosingPlugins::default();
        self.plugins.into_values().for_each(|plugin| closing.begin(ClosingPlugin::of(plugin)));
        closing.finish().await;
    }

    /// Sets how the configuration is read again, when `file` changes or when
    /// [`HostHandle::reload`] is called. Without this, the configuration never changes.
    #[must_use]
    pub fn with_source(
        mut self,
        file: PathBuf,
        read: impl Fn() -> Result<Config, Diagnostics> + Send + Sync + 'static,
    ) -> Self {
        self.source = Some(ConfigSource { file, read: Arc::new(read) });
        self
    }

    /// Sets how the host learns the number of lines that the program's log has lost, which its
    /// status has. Without this, the status says 0.
    #[must_use]
    pub fn with_lost_log_lines(mut self, count: fn() -> u64) -> Self {
        self.lost_log_lines = count;
        self
    }

    /// Says how the host before this one ended, which decides how runs count that were under way then.
    #[must_use]
    pub fn after(mut self, last_end: LastEnd) -> Self {
        self.last_end = last_end;
        self
    }

    /// Returns a handle that controls and observes this host while it runs.
    pub fn handle(&self) -> HostHandle {
        self.handle.clone()
    }

    /// Runs until the sources of the pipeline end or `stop` completes; a host without a pipeline
    /// runs until `stop`. Then drains, stops and unloads everything, and returns the report.
    ///
    /// `watch` gets the board as soon as the host runs, to show progress. Needs a tokio runtime
    /// with I/O and time enabled.
    ///
    /// # Errors
    /// If a component can't be made or does not initialize. A failure later on is not an error
    /// here: it is part of the report.
    pub async fn run(
        mut self,
        stop: impl Future<Output = ()>,
        watch: impl FnOnce(Arc<Board>),
    ) -> Result<Report, HostError> {
        let began = Instant::now();
        let mut state = match self.open_state_folder() {
            Ok(state) => state,
            Err(error) => {
                self.close().await;
                return Err(error);
            }
        };
        let stored = match open_store(&self.config, state.as_ref()).await {
            Ok(stored) => stored.after(std::mem::take(&mut self.last_end)),
            Err(error) => {
                self.close().await;
                return Err(error);
            }
        };
        let services = services(&self.config)?;
        watch(Arc::clone(&services.board));
        let handle = self.handle.clone();
        let journal = state.as_ref().map(|it| Journal::in_folder(it.path())).unwrap_or_default();
        let resolved = std::mem::take(&mut self.resolved);
        let mut actor = self.into_actor(services, journal, stored).await?;
        let mut stop = std::pin::pin!(stop);
        // If a stop was asked for by now, no task runs.
        let end = tokio::select! {
            biased;
            () = stop.as_mut() => Some(StopReason::Requested),
            started = async { actor.start_tasks(resolved) } => started.err().map(StopReason::Failed),
        };
        let end = match end {
            Some(end) => end,
            None => {
                actor.watch = actor.start_watch();
                if let Some(state) = &mut state {
                    state.serve(handle);
                }
                actor.run(stop).await
            }
        };
        let report = actor.shut_down(end, began).await;
        // Unlocked last: another host in this folder would have disturbed this one until now.
        drop(state);
        report
    }

    /// Locks the state folder, if this host follows changes.
    fn open_state_folder(&self) -> Result<Option<StateFolder>, HostError> {
        match self.config.follows_changes() {
            true => StateFolder::open(&self.config.state_folder),
            false => Ok(None),
        }
    }
}
