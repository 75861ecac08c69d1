//! From a configuration to a running host: load, check, run, report.

use std::{
    collections::BTreeMap,
    future::Future,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use hotbay_config::{Config, ConfigPath, Diagnostics, TimeMode};
use hotbay_core::bus::EventBus;
use hotbay_loader::{Inspected, LoadError, Loader, LoaderConfig, Refusal, Trust, scan};
use hotbay_plugin_api::{ChannelName, Mode};
use hotbay_runtime::{Board, Services};
use hotbay_store::quarantine::Quarantine;
use hotbay_store::record::Journal;
use hotbay_tasks::{Tasks, schedules};
use tokio::task::JoinSet;

use crate::{
    HostError, HostHandle,
    actor::{Actor, StopReason},
    check::{self, Missing},
    configuration::ConfigSource,
    handle::HostEndpoint,
    pipeline::{PluginPipeline, Strictness},
    plugins::{
        ClosingPlugin, ClosingPlugins, KnownPlugins, LoadedPlugin, read_sidecar, trust_warning,
        warning,
    },
    reconcile::{Observed, ObservedPlugin, Service},
    report::Report,
    resolve::{ResolvedPlugin, resolve},
    state_folder::StateFolder,
    trust,
    watch::{Backend, Watch, WatchConfig},
};

/// How long all plugins together get to end when a host ends that did not run.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);

/// A host with its plugins loaded and its configuration checked against them.
#[derive(Debug)]
pub struct Host {
    config: Config,
    plugins: BTreeMap<String, LoadedPlugin>,
    loader: Arc<Loader>,
    trust: Arc<Trust>,
    warnings: Diagnostics,
    source: Option<ConfigSource>,
    handle: HostHandle,
    endpoint: HostEndpoint,
}

impl Host {
    /// Loads the plugins and checks the configuration against them. Runs nothing.
    ///
    /// # Errors
    /// All problems that were found, not only the first.
    pub async fn prepare(config: Config) -> Result<Self, HostError> {
        Self::prepare_with(config, None).await
    }

    /// Like [`prepare`](Self::prepare), with another program than this one to probe
    /// libraries: a `hotbay` binary. For programs that don't call
    /// [`serve_probe`](hotbay_loader::serve_probe) themselves.
    ///
    /// # Errors
    /// All problems that were found, not only the first.
    pub async fn prepare_with(
        config: Config,
        probe_program: Option<PathBuf>,
    ) -> Result<Self, HostError> {
        let trust = trust::read(&config).map_err(HostError::Configuration)?;
        let loader = LoaderConfig {
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
            loader,
            trust,
            warnings: Diagnostics::new(),
            source: None,
            handle,
            endpoint,
        };
        let found = host.load_and_check().await?;
        if found.has_errors() {
            host.close().await;
            return Err(HostError::Configuration(found));
        }
        host.warnings = found;
        host.warnings.extend(host.config.warnings.clone());
        Ok(host)
    }

    async fn load_and_check(&mut self) -> Result<Diagnostics, HostError> {
        let follows = self.config.follows_changes();
        let mut found = match self.load_all().await {
            Ok(found) => found,
            // It may come later.
            Err(HostError::Configuration(found)) if follows => found.into_warnings(),
            Err(error) => return Err(error),
        };
        let missing = if follows { Missing::Waits } else { Missing::Refused };
        for plugin in self.plugins.values() {
            let with = (&*plugin.generation, &plugin.sidecar);
            resolve(&self.config, &plugin.file, with, &mut found).await;
        }
        let known = KnownPlugins::new(&self.config.plugins.folder, &self.plugins);
        check::tasks(&self.config, &known, missing, &mut found);
        check::components(&self.config, &known, missing, &mut found);
        Ok(found)
    }

    /// Loads every library of the plugins folder.
    ///
    /// A file that is refused is a warning here: whether anybody needs it is
    /// found out when the configuration is held against what did load.
    async fn load_all(&mut self) -> Result<Diagnostics, HostError> {
        let mut warnings = Diagnostics::new();
        let folder = &self.config.plugins.folder;
        let files = scan(folder).map_err(|error| {
            let path = ConfigPath::root().key("plugins").key("folder");
            let message = format!("the plugins folder {} can't be read: {error}", folder.display());
            let help = "make the folder, or name another one under `plugins.folder`";
            let mut found = Diagnostics::new();
            found.push(self.config.error_at(&path, message).with_help(help));
            HostError::Configuration(found)
        })?;
        let mut inspections = JoinSet::new();
        for file in files {
            let (loader, trust) = (Arc::clone(&self.loader), Arc::clone(&self.trust));
            inspections.spawn(async move { loader.inspect(&file, &trust).await });
        }
        let mut inspected = Vec::new();
        while let Some(joined) = inspections.join_next().await {
            match joined.map_err(|error| HostError::System(error.to_string()))? {
                Ok(library) => inspected.push(library),
                Err(refused) => warnings.push(warning(&refused)),
            }
        }
        inspected.sort_by(|a, b| a.path.cmp(&b.path));
        for library in inspected {
            warnings.extend(trust_warning(&library));
            self.load(library, &mut warnings).await;
        }
        Ok(warnings)
    }

    async fn load(&mut self, library: Inspected, warnings: &mut Diagnostics) {
        let name = library.manifest.name.clone();
        if let Some(first) = self.plugins.get(&name) {
            let refusal = Refusal::Duplicate { name, from: first.file.clone() };
            warnings.push(warning(&LoadError { path: library.path, refusal }));
            return;
        }
        let sidecar = match read_sidecar(&library.path, &name) {
            Ok(sidecar) => sidecar,
            Err(found) => return warnings.extend(found),
        };
        let with = (sidecar, self.plugins.len() as u64 + 1);
        match LoadedPlugin::load(&self.loader, &self.config, library, with, warnings).await {
            Ok(loaded) => {
                tracing::info!(plugin = name, number = loaded.number, "loaded");
                self.plugins.insert(name, loaded);
            }
            Err(refused) => warnings.push(warning(&refused)),
        }
    }

    /// Warnings found while the configuration and the plugins folder were checked.
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// Returns `true` if it follows changes of its plugins folder and its configuration.
    pub fn follows_changes(&self) -> bool {
        self.config.follows_changes()
    }

    /// Returns `true` if there is anything to run: a pipeline, or at least one task.
    pub fn has_work(&self) -> bool {
        self.config.pipeline.is_some() || self.task_count() > 0
    }

    /// How many components the pipeline has.
    pub fn component_count(&self) -> usize {
        self.config.pipeline.as_ref().map_or(0, |pipeline| pipeline.components().count())
    }

    /// How many tasks are to run.
    pub fn task_count(&self) -> usize {
        let of = |it: &LoadedPlugin| {
            schedules(&self.config, &it.generation, &it.sidecar, &mut Diagnostics::new()).len()
        };
        self.plugins.values().map(of).sum()
    }

    /// Closes the plugins without running anything.
    pub async fn close(self) {
        let mut closing = ClosingPlugins::default();
        self.plugins.into_values().for_each(|plugin| closing.begin(ClosingPlugin::of(plugin)));
        closing.finish(CLOSE_LIMIT).await;
    }

    /// How the configuration is read again, when `file` changes or when
    /// [`HostHandle::reload`] asks for it. Without it, it stays as it is.
    #[must_use]
    pub fn with_source(
        mut self,
        file: PathBuf,
        read: impl Fn() -> Result<Config, Diagnostics> + Send + Sync + 'static,
    ) -> Self {
        self.source = Some(ConfigSource { file, read: Arc::new(read) });
        self
    }

    /// Steers and watches this host while it runs.
    pub fn handle(&self) -> HostHandle {
        self.handle.clone()
    }

    /// Runs until the pipeline's sources end or `stop` comes; a host without a
    /// pipeline runs until `stop`. Then drains, stops, unloads, and reports.
    ///
    /// `watch` gets the board as soon as it runs, for whoever shows progress. Needs a tokio
    /// runtime with I/O and time enabled.
    ///
    /// # Errors
    /// If a component can't be made or does not initialize. What runs and fails
    /// later is no error here: the report tells it.
    pub async fn run(
        self,
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
        let services = services(&self.config)?;
        watch(Arc::clone(&services.board));
        let handle = self.handle.clone();
        let journal = state.as_ref().map(|it| Journal::in_folder(it.path())).unwrap_or_default();
        let mut actor = self.into_actor(services, journal).await?;
        let mut stop = std::pin::pin!(stop);
        // Making tasks runs code of plugins, which may take as long as it likes.
        let end = tokio::select! {
            biased;
            () = stop.as_mut() => Some(StopReason::Requested),
            started = actor.start_tasks() => started.err().map(StopReason::Failed),
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
        // Until here another host would have been in the way of this one.
        drop(state);
        report
    }

    fn open_state_folder(&self) -> Result<Option<StateFolder>, HostError> {
        match self.config.follows_changes() {
            true => StateFolder::open(&self.config.state_folder),
            false => Ok(None),
        }
    }

    async fn into_actor(self, services: Services, journal: Journal) -> Result<Actor, HostError> {
        let Self { config, plugins, loader, trust, warnings, source, endpoint, .. } = self;
        let tasks =
            Tasks::start(&services).await.map_err(|error| HostError::Engine(error.into()))?;
        let config = Arc::new(config);
        Ok(Actor {
            pipeline: PluginPipeline::new(&config, config.follows_changes()),
            factory: tasks.factory(),
            newest: Arc::clone(&config),
            config,
            loaded_builds: BTreeMap::new(),
            probations: BTreeMap::new(),
            examined: BTreeMap::new(),
            tasks,
            services,
            loader,
            trust,
            closing: ClosingPlugins::default(),
            journal,
            refused: BTreeMap::new(),
            known_warnings: warnings,
            configuration_refused: None,
            source,
            desired: Default::default(),
            observed: observed(&plugins),
            watch: None,
            snapshot: None,
            shown: Default::default(),
            unseen: BTreeMap::new(),
            strictness: Strictness::All,
            check_is_stale: false,
            readings: Default::default(),
            all_ended: false,
            next_number: plugins.len() as u64 + 1,
            plugins,
            operations: JoinSet::new(),
            endpoint,
        })
    }
}

impl Actor {
    /// Starts the tasks, and notes how the components are resolved.
    async fn start_tasks(&mut self) -> Result<(), HostError> {
        let mut prepared = Vec::new();
        for plugin in self.plugins.values() {
            let with = (&*plugin.generation, &plugin.sidecar);
            // What was wrong was found when the host was prepared.
            let resolved = resolve(&self.config, &plugin.file, with, &mut Diagnostics::new()).await;
            let ResolvedPlugin { components, tasks } = resolved;
            let tasks = self.factory.prepare(&plugin.generation, tasks, &self.services);
            let tasks = tasks.map_err(|error| HostError::Engine(error.into()))?;
            prepared.push((plugin.name().to_owned(), components, tasks));
        }
        for (name, components, tasks) in prepared {
            if let Some(pipeline) = &mut self.pipeline {
                pipeline.resolve(components);
            }
            drop(
                self.tasks
                    .install(&name, tasks)
                    .map_err(|error| HostError::Engine(error.into()))?,
            );
        }
        let can_start = self.pipeline.as_ref().is_some_and(PluginPipeline::can_be_started);
        if !can_start {
            // What is missing comes later, and one component then takes no other one down.
            self.strictness = Strictness::Each;
        }
        Ok(())
    }

    fn start_watch(&self) -> Option<Watch> {
        if !self.config.follows_changes() {
            return None;
        }
        let config = WatchConfig {
            files: self.files_beside(),
            settle: self.config.reload.settle,
            ..WatchConfig::new(self.config.plugins.folder.clone())
        };
        match Watch::start(config) {
            Ok(watch) => {
                if let Backend::Polling { reason } = watch.backend() {
                    tracing::warn!(reason, "no events from the system; the folder is polled");
                }
                Some(watch)
            }
            Err(error) => {
                tracing::error!(%error, "changes are not followed");
                None
            }
        }
    }
}

/// What was loaded when the host started is no news.
fn observed(plugins: &BTreeMap<String, LoadedPlugin>) -> Observed {
    let plugin = |(name, it): (&String, &LoadedPlugin)| {
        let service = Service {
            file: it.file.clone(),
            hash: it.hash().to_owned(),
            // They are read once more when the watch has seen them.
            settings: "\0".to_owned(),
            probation: None,
        };
        (name.clone(), ObservedPlugin { service: Some(service), ..ObservedPlugin::default() })
    };
    Observed { plugins: plugins.iter().map(plugin).collect(), ..Observed::default() }
}

fn services(config: &Config) -> Result<Services, HostError> {
    let bus = EventBus::with_payload(Vec::new());
    for (name, channel) in &config.channels {
        bus.declare_with(ChannelName::from(name.as_str()), channel.config(), channel.overflow)
            .map_err(|error| HostError::Engine(error.into()))?;
    }
    let mode = match config.pipeline.as_ref().map(|pipeline| pipeline.time) {
        Some(TimeMode::Replay) => Mode::Replay,
        Some(TimeMode::Live) | None => Mode::Live,
    };
    Ok(Services::new(bus).with_mode(mode))
}
