//! From a configuration to a running host: load, check, build, run, stop, report.
//!
//! [`Host::prepare`] does everything short of running and finds every problem;
//! [`Host::run`] runs to the end of the sources or to a stop, and reports.

mod check;
mod pipeline;
mod plugins;
mod progress;
mod report;
mod task;
mod tasks;
mod wiring;

use std::{
    future::Future,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use hotbay_plugin_api::{ChannelName, Mode, TradingEngineError};
use tracing::{info, warn};

use crate::{
    bus::EventBus,
    config::{Config, Diagnostics, TimeMode},
    plugin::{Board, Services},
};

pub use plugins::Plugins;
pub use progress::ProgressDisplay;
pub use report::{ChannelReport, ComponentReport, Outcome, Report, TaskReport};

/// How long a plugin's threads get to end when the host closes it.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

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
    wiring: wiring::Wiring,
    warnings: Diagnostics,
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
    /// [`serve_probe`](crate::plugin::serve_probe) themselves.
    ///
    /// # Errors
    /// All problems that were found, not only the first.
    pub async fn prepare_with(
        config: Config,
        probe_program: Option<PathBuf>,
    ) -> Result<Self, HostError> {
        let (plugins, refused) = Plugins::load(&config, probe_program).await?;
        let mut found = refused.clone();
        let wiring = check::check(&config, &plugins, &mut found).await;
        if found.has_errors() {
            plugins.close(CLOSE_LIMIT).await;
            return Err(HostError::Configuration(found));
        }
        found.extend(config.warnings.clone());
        Ok(Self { config, plugins, wiring, warnings: found })
    }

    /// What is odd about the configuration or the plugins folder, yet harmless.
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// The plugins that are loaded.
    pub fn plugins(&self) -> &Plugins {
        &self.plugins
    }

    /// Whether there is anything to run: a pipeline, or at least one task.
    pub fn has_work(&self) -> bool {
        self.config.pipeline.is_some() || !self.wiring.tasks.is_empty()
    }

    /// How many components the pipeline has.
    pub fn component_count(&self) -> usize {
        self.wiring.components.len()
    }

    /// How many tasks are to run.
    pub fn task_count(&self) -> usize {
        self.wiring.tasks.len()
    }

    /// Closes the plugins without running anything.
    pub async fn close(self) {
        self.plugins.close(CLOSE_LIMIT).await;
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
        let Self { config, plugins, wiring, .. } = self;
        let channels = config.channels.iter();
        let channels =
            channels.map(|(name, config)| (ChannelName::from(name.as_str()), config.clone()));
        let bus = EventBus::try_with_payload(channels.collect())
            .map_err(|error| HostError::Engine(error.into()))?;
        let mode = match config.pipeline.as_ref().map(|pipeline| pipeline.time) {
            Some(TimeMode::Replay) => Mode::Replay,
            Some(TimeMode::Live) | None => Mode::Live,
        };
        let services = Services::new(bus).with_mode(mode);
        watch(Arc::clone(&services.board));
        let ran = drive(&config, &plugins, &wiring, &services, stop).await;
        let left = plugins.close(CLOSE_LIMIT).await;
        for left in &left {
            warn!("{left}");
        }
        let mut report = ran?;
        // No failure of the run: everything was done by then.
        report.problems.extend(left);
        report.elapsed = began.elapsed();
        Ok(report)
    }
}

/// Runs pipeline and tasks; whatever happens, everything that was made is gone afterwards.
async fn drive(
    config: &Config,
    plugins: &Plugins,
    wiring: &wiring::Wiring,
    services: &Services,
    stop: impl Future<Output = ()>,
) -> Result<Report, HostError> {
    let pipeline = pipeline::build(config, plugins, &wiring.components, services).await?;
    let tasks = tasks::start(plugins, &wiring.tasks, services).await?;
    if let Some(pipeline) = &pipeline {
        info!(components = wiring.components.len(), "starting the pipeline");
        if let Err(error) = pipeline.engine.start().await {
            tasks.stop(config.shutdown.drain).await;
            return Err(error.into());
        }
    }
    let stopped = {
        let ended = async {
            match &pipeline {
                Some(pipeline) => pipeline.engine.wait().await,
                // Without a pipeline there is no end to wait for.
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = ended => false,
            () = stop => true,
        }
    };
    info!(reason = if stopped { "asked to" } else { "the sources ended" }, "stopping");
    let mut problems = tasks.stop(config.shutdown.drain).await;
    if let Some(pipeline) = &pipeline {
        pipeline.cancel.cancel();
        if let Err(error) = pipeline.engine.shutdown().await {
            problems.push(error.to_string());
        }
    }
    Ok(report::collect(report::Sources {
        components: &wiring.components,
        pipeline: pipeline.as_ref(),
        tasks: tasks.reports(),
        services,
        stopped,
        problems,
    }))
}
