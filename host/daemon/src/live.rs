//! A host that runs and follows what changes around it.

mod probation;
mod reconfigure;
mod replace;

use std::{collections::BTreeMap, path::PathBuf};

use hotbay_tasks::{Prepared, Scheduled, Tasks, schedules};

use super::{
    HostError, check,
    pipeline::{Pipeline, Strictness},
    plugins::{Berth, Closing, Closings, Plugins},
    wiring::Wired,
};
use hotbay_config::{Config, Diagnostics};
use hotbay_loader::{Inspected, LoadError, RefusalCode};
use hotbay_runtime::Services;
use hotbay_store::record::Journal;

pub(super) use probation::{Verdict, verdict};

use probation::Probation;

/// Everything that runs, and what is known about it.
pub(super) struct Live {
    pub(super) config: Config,
    pub(super) plugins: Plugins,
    pub(super) services: Services,
    pub(super) tasks: Tasks,
    pub(super) pipeline: Option<Pipeline>,
    pub(super) closings: Closings,
    pub(super) journal: Journal,
    /// New builds in service for a short time, by plugin, with what is to go back to.
    pub(super) probation: BTreeMap<String, Probation>,
    /// Files that are not loaded.
    pub(super) refused: BTreeMap<PathBuf, RefusedFile>,
    /// What is odd about the configuration, and was said.
    pub(super) warned: Diagnostics,
    /// Why the configuration on disk is not the one that runs.
    pub(super) configuration_refused: Option<String>,
}

/// Why a file is not loaded.
#[derive(Debug, Clone)]
pub(super) struct RefusedFile {
    /// The plugin in it, if that could be found out.
    pub(super) plugin: Option<String>,
    /// A word for programs.
    pub(super) code: String,
    pub(super) reason: String,
    pub(super) remedy: String,
}

/// A step that failed, and why.
pub(super) struct Refused {
    pub(super) step: &'static str,
    pub(super) reason: String,
}

impl RefusedFile {
    /// A build that was loaded and did not come into service, or not for long.
    fn at_step(plugin: &str, refused: &Refused) -> Self {
        Self {
            plugin: Some(plugin.to_owned()),
            code: refused.step.to_owned(),
            reason: refused.reason.clone(),
            remedy: "mend what is said; the file is tried again when it, its settings or the \
                     configuration change"
                .to_owned(),
        }
    }

    /// Whether another configuration may make a difference.
    pub(super) fn depends_on_configuration(&self) -> bool {
        let code = self.code.as_str();
        ["configuration", "create", "hold", "save_state", "restore", "initialize", "probation"]
            .contains(&code)
            || code.parse().is_ok_and(RefusalCode::is_trust)
    }
}

/// What a build of a plugin comes to under the configuration.
pub(super) struct Meaning {
    pub(super) components: Vec<Wired>,
    pub(super) tasks: Vec<Scheduled>,
}

/// What a build of a plugin comes to; every problem goes into the findings.
pub(super) async fn meaning(config: &Config, berth: &Berth, findings: &mut Diagnostics) -> Meaning {
    check::sidecar(berth, findings);
    let mut components = Vec::new();
    let entries = config.pipeline.iter().flat_map(|pipeline| pipeline.components());
    for entry in entries.filter(|entry| entry.plugin == berth.generation.name()) {
        components.extend(check::component(config, berth, entry, findings).await);
    }
    Meaning { components, tasks: schedules(config, &berth.generation, &berth.sidecar, findings) }
}

impl Live {
    /// Starts the tasks, and notes what the components come to.
    pub(super) async fn start_tasks(&mut self) -> Result<(), HostError> {
        let mut means = Vec::new();
        for berth in self.plugins.berths() {
            let name = berth.generation.name().to_owned();
            // What was wrong was found when the host was prepared.
            let meaning = meaning(&self.config, berth, &mut Diagnostics::new()).await;
            let tasks = self.tasks.prepare(&berth.generation, meaning.tasks, &self.services).await;
            means.push((name, meaning.components, tasks.map_err(engine_error)?));
        }
        for (name, components, prepared) in means {
            if let Some(pipeline) = &mut self.pipeline {
                pipeline.wire(components);
            }
            self.seat(&name, prepared);
        }
        Ok(())
    }

    /// Takes a plugin into service that was not there before.
    pub(super) async fn arrive(&mut self, library: Inspected) {
        let (path, name) = (library.path.clone(), library.manifest.name.clone());
        match self.try_arrive(library).await {
            Ok(()) => {
                self.refused.remove(&path);
                if let Err(error) = self.start_pipeline(Strictness::Each).await {
                    tracing::error!(%error, "the pipeline does not start");
                }
            }
            Err(Refused { step, reason }) => {
                tracing::error!(plugin = name, file = %path.display(), step, "refused: {reason}");
                let refused = Refused { step, reason };
                self.refused.insert(path, RefusedFile::at_step(&name, &refused));
            }
        }
    }

    async fn try_arrive(&mut self, library: Inspected) -> Result<(), Refused> {
        let name = library.manifest.name.clone();
        let (berth, meaning, prepared) = self.bring(library).await?;
        drop(self.plugins.put(berth));
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.wire(meaning.components);
        }
        for (_, build) in self.seat(&name, prepared) {
            tracing::debug!(?build, "a task of an absent plugin had a build");
        }
        Ok(())
    }

    /// Loads a library and makes its tasks; nothing of it is in service yet.
    async fn bring(&mut self, library: Inspected) -> Result<(Berth, Meaning, Prepared), Refused> {
        self.bound_leaks().await?;
        let name = library.manifest.name.clone();
        let refuse =
            |step, reason: &dyn std::fmt::Display| Refused { step, reason: reason.to_string() };
        let sidecar = super::plugins::read_sidecar(&library.path, &name)
            .map_err(|found| refuse("configuration", &found))?;
        let mut findings = Diagnostics::new();
        let loaded = self.plugins.load(&self.config, library, sidecar, &mut findings).await;
        let berth = loaded.map_err(|error| refuse("load", &error.refusal))?;
        let mut meaning = meaning(&self.config, &berth, &mut findings).await;
        if findings.has_errors() {
            self.closings.begin(Closing::of(berth));
            return Err(refuse("configuration", &findings));
        }
        let tasks = std::mem::take(&mut meaning.tasks);
        match self.tasks.prepare(&berth.generation, tasks, &self.services).await {
            Ok(prepared) => Ok((berth, meaning, prepared)),
            Err(error) => {
                self.closings.begin(Closing::of(berth));
                Err(refuse("create", &error))
            }
        }
    }

    /// Refuses to load more when too much could not be unloaded.
    async fn bound_leaks(&mut self) -> Result<(), Refused> {
        // One that hangs takes seconds to be closed; not many of them at the same time.
        while self.closings.len() > MOST_CLOSING {
            self.closings.next().await;
        }
        if self.closings.leaks.len() >= self.config.reload.leaks {
            self.closings.try_again().await;
        }
        let (leaks, limit) = (self.closings.leaks.len(), self.config.reload.leaks);
        match self.closings.leaks.last() {
            Some(last) if leaks >= limit => {
                let reason = format!(
                    "{leaks} builds could not be unloaded, and `reload.leaks` puts up with \
                     {limit}; the last was {}. Mend that plugin so that it ends what it starts, \
                     and restart the host",
                    last.text()
                );
                Err(Refused { step: "leaks", reason })
            }
            _ => Ok(()),
        }
    }

    /// Takes a plugin out of service after what is queued for its components.
    pub(super) async fn retire(&mut self, name: &str) {
        self.settle(name).await;
        let drain = self.config.shutdown.drain;
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.take_out(|member| member.plugin == name, drain).await;
        }
        let before = self.tasks.leave(name);
        if let Some(berth) = self.plugins.take(name) {
            tracing::info!(plugin = name, "its file is gone: retired");
            let tasks = before.into_iter().map(|(_, build)| build).collect();
            self.closings.begin(Closing { tasks, drain, ..Closing::of(berth) });
        }
    }

    /// A plugin's file has another name.
    pub(super) fn move_plugin(&mut self, name: &str, path: &std::path::Path) {
        self.refused.remove(path);
        if let Some(berth) = self.plugins.berth_mut(name) {
            tracing::info!(plugin = name, file = %path.display(), "its file has another name");
            berth.generation.set_path(path);
        }
    }

    /// Notes a file that is not loaded.
    pub(super) fn refuse_file(&mut self, error: &LoadError, plugin: Option<String>) {
        tracing::error!("{error}");
        let refused = RefusedFile {
            plugin,
            code: error.refusal.code().to_string(),
            reason: error.refusal.to_string(),
            remedy: error.refusal.remedy().to_owned(),
        };
        self.refused.insert(error.path.clone(), refused);
    }

    /// Starts every component that can be and does not run.
    pub(super) async fn start_pipeline(&mut self, strictness: Strictness) -> Result<(), HostError> {
        match &mut self.pipeline {
            Some(pipeline) => {
                pipeline.start(&self.config, &self.plugins, &self.services, strictness).await
            }
            None => Ok(()),
        }
    }

    /// Gives the builds that were there before.
    fn seat(&mut self, plugin: &str, prepared: Prepared) -> Prepared {
        self.tasks.seat(plugin, prepared).unwrap_or_else(|error| {
            tracing::error!(plugin, %error, "its tasks don't start");
            Prepared::new()
        })
    }

    /// Ends everything; gives what went wrong.
    pub(super) async fn stop(&mut self) -> Vec<String> {
        let names: Vec<_> = self.probation.keys().cloned().collect();
        for name in names {
            self.settle(&name).await;
        }
        let mut problems = self.tasks.stop(self.config.shutdown.drain).await;
        if let Some(pipeline) = &self.pipeline {
            problems.extend(pipeline.stop(&self.config).await);
        }
        problems
    }
}

/// How many builds may be closing at the same time.
const MOST_CLOSING: usize = 4;

fn engine_error(error: hotbay_plugin_api::SchedulerError) -> HostError {
    HostError::Engine(error.into())
}
