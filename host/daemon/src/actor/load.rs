//! Loading builds, and putting those without a predecessor into service.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use hotbay_config::{Config, Diagnostics};
use hotbay_loader::{Inspected, LoadError, Loader, sweep};
use hotbay_runtime::Services;
use hotbay_store::record::{Build, Replacement, ReplacementOutcome};
use hotbay_tasks::{PreparedTasks, TaskFactory};

use super::{Actor, ActorEvent};
use crate::{
    HostEvent, check,
    plugins::{ClosingPlugin, LoadedPlugin, UnloadFailure, read_sidecar},
    reconcile::Retry,
    refused::{RefusedFile, RolloutStep, StepFailure},
    resolve::{ResolvedPlugin, resolve},
    resolved::ResolvedComponent,
};

/// A loaded build, with the components and tasks that it is to run. None of it is in service.
pub(crate) struct LoadedBuild {
    pub(super) plugin: LoadedPlugin,
    pub(super) components: Vec<ResolvedComponent>,
    pub(super) tasks: PreparedTasks,
}

impl LoadedBuild {
    /// Drops the components and tasks, and returns the build, which the caller has to close.
    pub(crate) fn into_plugin(self) -> LoadedPlugin {
        self.plugin
    }
}

/// The report of an operation that loaded a library, or did not.
pub(crate) struct LoadReport {
    plugin: String,
    file: PathBuf,
    version: String,
    hash: String,
    /// The failure comes with the build, if that was loaded and has to be closed.
    result: Result<LoadedBuild, (StepFailure, Option<LoadedPlugin>)>,
}

impl Actor {
    pub(super) fn load(&mut self, file: &Path, plugin: String) {
        let Some(library) = self.examined.remove(file) else {
            // Forgotten, so that the file is examined once more.
            self.observed.turned_away(&plugin, Retry::File, &self.desired);
            self.observed.files.remove(file);
            return;
        };
        let request = LoadRequest {
            library,
            number: self.next_number,
            config: Arc::clone(&self.config),
            loader: Arc::clone(&self.loader),
            services: self.services.clone(),
            factory: self.factory.clone(),
            leaks: self.closing.leaks.clone(),
        };
        self.next_number += 1;
        self.spawn(async move { ActorEvent::Loaded(Box::new(request.run(plugin).await)) });
    }

    pub(super) fn on_loaded(&mut self, report: LoadReport) {
        let LoadReport { plugin, file, version, hash, result } = report;
        let result = match result {
            Ok(build) => match self.check_beside_others(&build) {
                Ok(()) => Ok(build),
                Err(failure) => Err((failure, Some(build.into_plugin()))),
            },
            Err(refused) => Err(refused),
        };
        match result {
            Ok(build) => {
                self.loaded_builds.insert(plugin.clone(), build);
                self.observed.loaded(&plugin);
            }
            Err((failure, loaded)) => {
                let to = Build { version, hash, generation: loaded.as_ref().map(|it| it.number) };
                if let Some(loaded) = loaded {
                    self.closing.begin(ClosingPlugin::of(loaded));
                }
                self.refuse_build(&plugin, &file, to, &failure);
            }
        }
    }

    /// Checks the event types of a build's ports against those of the plugins in service, and whether
    /// the configuration names tasks that another plugin has, too.
    ///
    /// Not while it is loaded: another plugin may come into service meanwhile.
    fn check_beside_others(&self, build: &LoadedBuild) -> Result<(), StepFailure> {
        let (mut known, mut findings) = (self.known(), Diagnostics::new());
        known.insert(build.plugin.generation.info().manifest.clone());
        check::event_types(&self.config, |plugin| known.manifest(plugin), &mut findings);
        check::task_names(&self.config, &known, &mut findings);
        match findings.has_errors() {
            true => Err(StepFailure::new(RolloutStep::Configuration, &findings)),
            false => Ok(()),
        }
    }

    /// Refuses a build on its way into service, with a record if it was to replace another.
    pub(super) fn refuse_build(
        &mut self,
        plugin: &str,
        file: &Path,
        to: Build,
        failure: &StepFailure,
    ) {
        // A refusal that time may lift is repeated until then, and one of the start is repeated when
        // the host begins to watch. Any other repetition has a reason of its own.
        let is_first = self.refused.get(file).is_some_and(|before| before.version.is_none());
        let is_repeated = (matches!(failure.retry, Retry::Outside { .. }) || is_first)
            && self.is_known(file, &RefusedFile::at_step(failure));
        if is_repeated {
            tracing::debug!(plugin, step = %failure.step, "still refused: {}", failure.text());
        } else if self.plugins.contains_key(plugin) {
            self.refuse_replacement(plugin, Some(to), failure);
        } else {
            let (step, reason) = (failure.step, failure.text());
            tracing::error!(plugin, file = %file.display(), %step, "refused: {reason}");
        }
        self.turn_away(plugin, file, failure);
    }

    /// Records that a build does not replace the one in service.
    pub(super) fn refuse_replacement(
        &mut self,
        plugin: &str,
        to: Option<Build>,
        failure: &StepFailure,
    ) {
        let Some(old) = self.plugins.get(plugin) else { return };
        let unknown = Build { version: String::new(), hash: String::new(), generation: None };
        let mut record = Replacement::new(plugin, old.build(), to.unwrap_or(unknown));
        let version = match record.to.version.is_empty() {
            true => "its new file".to_owned(),
            false => record.to.unlike(&record.from),
        };
        let (step, reason) = (failure.step, failure.text());
        record.alert = Some(format!(
            "plugin {plugin}: {version} does not come into service, {} goes on: {step}: {reason}",
            record.from.unlike(&record.to)
        ));
        record.outcome = ReplacementOutcome::Refused { step: step.to_string(), reason };
        self.record(record);
    }

    /// Puts a build into service that has no predecessor.
    pub(super) fn enter(&mut self, plugin: &str) {
        let Some(LoadedBuild { plugin: loaded, components, tasks }) =
            self.loaded_builds.remove(plugin)
        else {
            return;
        };
        self.refused.remove(&loaded.file);
        tracing::info!(plugin, number = loaded.number, "loaded");
        self.send_event(HostEvent::Entered {
            plugin: plugin.to_owned(),
            generation: loaded.number,
        });
        self.plugins.insert(plugin.to_owned(), loaded);
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.resolve(components);
        }
        for (_, build) in self.install_tasks(plugin, tasks) {
            tracing::debug!(?build, "a task of an absent plugin had a build");
        }
    }

    /// Installs the tasks of a build, and returns those that were replaced or removed.
    pub(crate) fn install_tasks(&mut self, plugin: &str, tasks: PreparedTasks) -> PreparedTasks {
        let before = self.tasks.install(plugin, tasks).unwrap_or_else(|error| {
            tracing::error!(plugin, %error, "the tasks of the plugin can't be started");
            PreparedTasks::new()
        });
        self.follow_events();
        before
    }

    /// Follows the channels for whose events tasks run.
    pub(super) fn follow_events(&mut self) {
        let (wanted, control) = (self.tasks.event_triggers(), self.tasks.control());
        self.event_triggers.follow(wanted, &self.services, &control);
    }
}

/// The operation that loads a library.
struct LoadRequest {
    library: Inspected,
    number: u64,
    config: Arc<Config>,
    loader: Arc<Loader>,
    services: Services,
    factory: TaskFactory,
    leaks: Vec<UnloadFailure>,
}

impl LoadRequest {
    async fn run(self, plugin: String) -> LoadReport {
        let (file, hash) = (self.library.path.clone(), self.library.hash().to_owned());
        let version = self.library.manifest.version.clone();
        let result = self.load(&plugin).await;
        LoadReport { plugin, file, version, hash, result }
    }

    async fn load(self, plugin: &str) -> Result<LoadedBuild, (StepFailure, Option<LoadedPlugin>)> {
        let Self { library, number, config, loader, services, factory, leaks } = self;
        bound_leaks(leaks, config.reload.leaks).await.map_err(|failure| (failure, None))?;
        let sidecar = read_sidecar(&config, &library.path, plugin)
            .map_err(|found| (StepFailure::new(RolloutStep::Configuration, &found), None))?;
        let began = Instant::now();
        let loaded = LoadedPlugin::load(&loader, &config, library, (sidecar, number))
            .await
            .map_err(|LoadError { refusal, .. }| {
                let with = (&refusal, began.elapsed());
                (StepFailure::refusal(RolloutStep::Load, &refusal, with), None)
            })?;
        let mut findings = Diagnostics::new();
        let with = (&*loaded.generation, &loaded.sidecar);
        let ResolvedPlugin { components, tasks } = resolve(&config, with, &mut findings).await;
        if findings.has_errors() {
            return Err((StepFailure::new(RolloutStep::Configuration, &findings), Some(loaded)));
        }
        match factory.prepare(&loaded.generation, tasks, &services) {
            Ok(tasks) => Ok(LoadedBuild { plugin: loaded, components, tasks }),
            Err(error) => Err((StepFailure::new(RolloutStep::Create, &error), Some(loaded))),
        }
    }
}

/// Refuses to load another build if too many could not be unloaded.
async fn bound_leaks(mut leaks: Vec<UnloadFailure>, limit: usize) -> Result<(), StepFailure> {
    if leaks.len() >= limit && !leaks.is_empty() {
        // The threads that keep these libraries mapped may have ended meanwhile.
        if let Err(error) = tokio::task::spawn_blocking(sweep).await {
            tracing::error!(%error, "unloading the builds that are still mapped failed");
        }
        leaks.retain(|leak| !leak.is_over());
    }
    match leaks.last() {
        Some(last) if leaks.len() >= limit => {
            let reason = format!(
                "{} builds could not be unloaded, and `reload.leaks` allows {limit}; the last was \
                 {}. Correct that plugin so that it ends the threads that it starts, and restart \
                 the host",
                leaks.len(),
                last.text()
            );
            // The threads that keep the libraries mapped may still end.
            Err(StepFailure::passing(RolloutStep::Leaks, &reason))
        }
        _ => Ok(()),
    }
}
