//! From a configuration to a running host: load, check, build, run, stop, report.
//!
//! [`Host::prepare`] does everything short of running and finds every problem;
//! [`Host::run`] runs to the end of the sources or to a stop, and reports.

mod check;
mod follow;
mod live;
mod pipeline;
mod plugins;
mod report;
mod state_folder;
mod status;
mod trust;
pub mod watch;
mod wiring;

use std::{
    future::Future,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use hotbay_plugin_api::{ChannelName, Mode, TradingEngineError};
use hotbay_tasks::{Tasks, schedules};
use tracing::{info, warn};

use self::{
    check::Missing,
    live::Live,
    pipeline::{Pipeline, Strictness},
    plugins::{Berth, Closings},
    state_folder::StateFolder,
};
use hotbay_config::{Config, Diagnostics, TimeMode};
use hotbay_core::bus::EventBus;
use hotbay_runtime::{Board, Services};
use hotbay_store::record::Journal;

pub use follow::Reloader;

use follow::Source;
pub use hotbay_tasks::TaskReport;
pub use plugins::Plugins;
pub use report::{ChannelReport, ComponentReport, Outcome, Report};
pub use state_folder::read_status;
pub use status::{
    BuildState, ComponentStatus, PluginStatus, RefusedStatus, Status, TaskStatus, TrustStatus,
};
pub use trust::{pins_finding, read_keys};

/// How long all plugins together get to end when the host ends.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);

/// Why a host does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The configuration, or what it names, is wrong; every problem is listed.
    #[error("{0}")]
    Configuration(Diagnostics),
    /// This machine does not let the host work.
    #[error("{0}")]
    System(String),
    /// The pipeline could not be built or started.
    #[error(transparent)]
    Engine(#[from] TradingEngineError),
}

/// A host with its plugins loaded and its configuration checked against them.
#[derive(Debug)]
pub struct Host {
    config: Config,
    plugins: Plugins,
    warnings: Diagnostics,
    reloads: follow::Reloads,
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
        let mut plugins = Plugins::new(&config, probe_program)?;
        let follows = config.follows_changes();
        let mut found = match plugins.load_all(&config).await {
            Ok(found) => found,
            // It may come later.
            Err(HostError::Configuration(found)) if follows => found.into_warnings(),
            Err(error) => return Err(error),
        };
        let missing = if follows { Missing::Waits } else { Missing::Refused };
        for berth in plugins.berths() {
            live::meaning(&config, berth, &mut found).await;
        }
        check::tasks(&config, &plugins, missing, &mut found);
        check::components(&config, &plugins, missing, &mut found);
        if found.has_errors() {
            close(&mut plugins).await;
            return Err(HostError::Configuration(found));
        }
        found.extend(config.warnings.clone());
        Ok(Self { config, plugins, warnings: found, reloads: follow::Reloads::default() })
    }

    /// What is odd about the configuration or the plugins folder, yet harmless.
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// The plugins that are loaded.
    pub fn plugins(&self) -> &Plugins {
        &self.plugins
    }

    /// Whether it follows changes of its plugins folder and its configuration.
    pub fn follows_changes(&self) -> bool {
        self.config.follows_changes()
    }

    /// Whether there is anything to run: a pipeline, or at least one task.
    pub fn has_work(&self) -> bool {
        self.config.pipeline.is_some() || self.task_count() > 0
    }

    /// How many components the pipeline has.
    pub fn component_count(&self) -> usize {
        self.config.pipeline.as_ref().map_or(0, |pipeline| pipeline.components().count())
    }

    /// How many tasks are to run.
    pub fn task_count(&self) -> usize {
        let of = |it: &Berth| {
            schedules(&self.config, &it.generation, &it.sidecar, &mut Diagnostics::new()).len()
        };
        self.plugins.berths().map(of).sum()
    }

    /// Closes the plugins without running anything.
    pub async fn close(mut self) {
        close(&mut self.plugins).await;
    }

    /// How the configuration is read again, when `file` changes or when
    /// [`Reloader::reload`] asks for it. Without it, it stays as it is.
    #[must_use]
    pub fn with_source(
        mut self,
        file: PathBuf,
        read: impl Fn() -> Result<Config, Diagnostics> + Send + Sync + 'static,
    ) -> Self {
        self.reloads.source = Some(Source { file, read: Arc::new(read) });
        self
    }

    /// What asks this host to look at its configuration and its plugins again.
    pub fn reloader(&self) -> Reloader {
        self.reloads.reloader()
    }

    /// Runs until the pipeline's sources end or `stop` comes; a host without a
    /// pipeline runs until `stop`. Then drains, stops, unloads, and reports.
    ///
    /// `watch` gets the board as soon as it runs, for whoever shows progress.
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
        let Self { config, mut plugins, reloads, warnings } = self;
        let state = match config.follows_changes() {
            true => StateFolder::open(&config.state_folder),
            false => Ok(None),
        };
        let state = match state {
            Ok(state) => state,
            Err(error) => {
                close(&mut plugins).await;
                return Err(error);
            }
        };
        let bus = EventBus::with_payload(Vec::new());
        for (name, entry) in &config.channels {
            bus.declare_with(ChannelName::from(name.as_str()), entry.config(), entry.overflow)
                .map_err(|error| HostError::Engine(error.into()))?;
        }
        let mode = match config.pipeline.as_ref().map(|pipeline| pipeline.time) {
            Some(TimeMode::Replay) => Mode::Replay,
            Some(TimeMode::Live) | None => Mode::Live,
        };
        let services = Services::new(bus).with_mode(mode);
        watch(Arc::clone(&services.board));
        let tasks =
            Tasks::start(&services).await.map_err(|error| HostError::Engine(error.into()))?;
        let pipeline = Pipeline::new(&config, config.follows_changes());
        let mut live = Live {
            config,
            plugins,
            services,
            tasks,
            pipeline,
            closings: Closings::default(),
            journal: state.as_ref().map(|it| Journal::in_folder(it.path())).unwrap_or_default(),
            probation: Default::default(),
            refused: Default::default(),
            warned: warnings,
            configuration_refused: None,
        };
        let mut state = state;
        let ran = drive(&mut live, reloads, state.as_mut(), stop).await;
        live.plugins.close(&mut live.closings);
        live.closings.finish(CLOSE_LIMIT).await;
        // Until here another host would have been in the way of this one.
        drop(state);
        let mut report = ran?;
        // No failure of the run: everything was done by then.
        report.problems.extend(live.closings.leaks.iter().map(|leak| leak.text()));
        report.elapsed = began.elapsed();
        Ok(report)
    }
}

/// Runs pipeline and tasks; whatever happens, everything that was made is gone afterwards.
async fn drive(
    live: &mut Live,
    reloads: follow::Reloads,
    state: Option<&mut StateFolder>,
    stop: impl Future<Output = ()>,
) -> Result<Report, HostError> {
    let mut stop = std::pin::pin!(stop);
    let started = match live.start_tasks().await {
        Err(error) => Some(Err(error)),
        // A component may initialize for as long as it likes; who wants to stop need not wait.
        Ok(()) => tokio::select! {
            started = live.start_pipeline(Strictness::All) => Some(started),
            () = &mut stop => None,
        },
    };
    let stopped = match started {
        None => true,
        Some(Ok(())) => follow::follow(live, reloads, state, stop).await,
        Some(Err(error)) => {
            for problem in live.stop().await {
                warn!("{problem}");
            }
            return Err(error);
        }
    };
    info!(reason = if stopped { "asked to" } else { "the sources ended" }, "stopping");
    let problems = live.stop().await;
    Ok(report::collect(report::Sources {
        pipeline: live.pipeline.as_ref(),
        tasks: live.tasks.reports(),
        services: &live.services,
        stopped,
        problems,
    }))
}

async fn close(plugins: &mut Plugins) {
    let mut closings = Closings::default();
    plugins.close(&mut closings);
    closings.finish(CLOSE_LIMIT).await;
}
