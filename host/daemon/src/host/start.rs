//! Starts a host whose plugins are loaded, up to its actor.

use std::{collections::BTreeMap, sync::Arc};

use hotbay_config::{Config, TimeMode};
use hotbay_core::bus::EventBus;
use hotbay_plugin_api::{ChannelName, Mode};
use hotbay_runtime::Services;
use hotbay_store::record::Journal;
use hotbay_tasks::{OpenedStore, Tasks};
use tokio::task::JoinSet;

use super::Host;
use crate::{
    HostError,
    actor::Actor,
    pipeline::{PluginPipeline, Strictness},
    plugins::{ClosingPlugin, ClosingPlugins, LoadedPlugin},
    reconcile::{Observed, ObservedPlugin, Service},
    refused::{RefusedFile, RolloutStep, StepFailure},
    resolve::ResolvedPlugin,
    watch::{Watch, WatchConfig},
};

impl Host {
    /// Makes the actor that owns the running host.
    pub(super) async fn into_actor(
        self,
        services: Services,
        journal: Journal,
        stored: OpenedStore,
    ) -> Result<Actor, HostError> {
        let Self {
            config,
            plugins,
            loader,
            trust,
            warnings,
            refused,
            source,
            lost_log_lines,
            endpoint,
            run_lines,
            ..
        } = self;
        let tasks = Tasks::start(run_lines, stored);
        tasks.set_limits(config.limits);
        tasks.set_history(config.history);
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
            event_triggers: Default::default(),
            services,
            loader,
            trust,
            closing: ClosingPlugins::default(),
            journal,
            refused,
            refused_settings: BTreeMap::new(),
            known_warnings: warnings,
            configuration_refused: None,
            source,
            lost_log_lines,
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
    /// Starts the tasks of the loaded plugins, and puts their components into the pipeline.
    ///
    /// # Errors
    /// If a task can't be made or started.
    pub(crate) fn start_tasks(
        &mut self,
        resolved: BTreeMap<String, ResolvedPlugin>,
    ) -> Result<(), HostError> {
        let mut prepared = Vec::new();
        for (name, ResolvedPlugin { components, tasks }) in resolved {
            let Some(generation) = self.generation(&name) else { continue };
            match self.factory.prepare(&generation, tasks, &self.services) {
                Ok(tasks) => prepared.push((name, components, tasks)),
                Err(error) if self.config.follows_changes() => {
                    self.leave_out(&name, &StepFailure::new(RolloutStep::Create, &error));
                }
                Err(error) => return Err(HostError::Engine(error.into())),
            }
        }
        for (name, components, tasks) in prepared {
            if let Some(pipeline) = &mut self.pipeline {
                pipeline.resolve(components);
            }
            // No build was in service before.
            drop(self.install_tasks(&name, tasks));
        }
        self.tasks.begin();
        let can_start = self.pipeline.as_ref().is_some_and(PluginPipeline::can_be_started);
        if !can_start {
            // Missing plugins may come later. Then a component that fails must not keep the
            // others from starting.
            self.strictness = Strictness::Each;
        }
        Ok(())
    }

    /// Takes a plugin out that was loaded and can't be put into service.
    fn leave_out(&mut self, plugin: &str, failure: &StepFailure) {
        let Some(loaded) = self.plugins.remove(plugin) else { return };
        let file = loaded.file.display();
        tracing::error!(plugin, %file, step = %failure.step, "refused: {}", failure.text());
        self.refused.insert(loaded.file.clone(), RefusedFile::at_step(failure));
        self.observed.plugins.remove(plugin);
        self.closing.begin(ClosingPlugin::of(loaded));
    }

    /// Starts to watch the plugins folder, if the host is to follow changes.
    pub(crate) fn start_watch(&self) -> Option<Watch> {
        if !self.config.follows_changes() {
            return None;
        }
        let config = WatchConfig {
            files: self.files_beside(),
            settle: self.config.reload.settle,
            ..WatchConfig::new(self.config.plugins.folder.clone())
        };
        match Watch::start(config) {
            Ok(watch) => Some(watch),
            Err(error) => {
                tracing::error!(%error, "the watch did not start; changes are not followed");
                None
            }
        }
    }
}

/// Returns the observed state at the start: the plugins that were loaded are in service.
fn observed(plugins: &BTreeMap<String, LoadedPlugin>) -> Observed {
    let plugin = |(name, it): (&String, &LoadedPlugin)| {
        let service = Service {
            file: it.file.clone(),
            hash: it.hash().to_owned(),
            // No settings file has this text, so the settings are read again when the watch has
            // seen the files.
            settings: "\0".to_owned(),
            probation: None,
        };
        (name.clone(), ObservedPlugin { service: Some(service), ..ObservedPlugin::default() })
    };
    Observed { plugins: plugins.iter().map(plugin).collect(), ..Observed::default() }
}

/// Makes the services, with the channels of the configuration.
///
/// # Errors
/// If a channel can't be declared.
pub(super) fn services(config: &Config) -> Result<Services, HostError> {
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
