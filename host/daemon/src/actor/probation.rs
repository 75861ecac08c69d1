//! Confirms builds that are on probation, or rolls back to the previous builds.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream::FuturesUnordered};
use hotbay_runtime::replacement::{
    ComponentBuild, Limits, OnFailure, PluginCore, ReplacedComponent, roll_back,
};
use hotbay_store::record::{Replacement, ReplacementOutcome, micros, now};
use hotbay_tasks::PreparedTasks;
use tokio::task::AbortHandle;

use super::{Actor, ActorEvent};
use crate::{
    pipeline::{ComponentRemoval, RemovedComponent, take_out},
    plugins::{ClosingPlugin, LoadedPlugin},
    refused::{RefusedFile, RolloutStep, StepFailure},
    resolved::ResolvedComponent,
};

/// The replacement of a plugin's build that can still be rolled back.
pub(crate) struct PluginProbation {
    pub(super) changed: Vec<ReplacedComponent>,
    /// The components of the previous build that had ended by themselves.
    pub(super) ended: Vec<(String, ComponentBuild)>,
    /// The previous build, which still has its threads and its objects.
    pub(crate) before: LoadedPlugin,
    /// The components of the previous build, as they were resolved.
    pub(super) resolved: Vec<ResolvedComponent>,
    /// The tasks of the previous build.
    pub(super) tasks: PreparedTasks,
    pub(super) record: Replacement,
    /// Why the new build has failed, noted because a component that gets another configuration
    /// shows its failure no more.
    pub(super) failure: Option<String>,
    /// Set if the previous build can't take over any more.
    pub(super) no_way_back: bool,
    /// The operation that wakes the loop when something fails.
    pub(super) watcher: AbortHandle,
}

/// The report of an operation that rolled a plugin back.
pub(crate) struct RollBackReport {
    plugin: String,
    reason: String,
    probation: PluginProbation,
    /// The previous builds of the components that were rolled back.
    olds: Vec<(String, ComponentBuild)>,
    removed: Vec<RemovedComponent>,
    notes: Vec<String>,
    held: Duration,
}

impl Actor {
    /// Wakes the loop when a component or a task of a build on probation fails.
    pub(super) fn watch_probation(
        &mut self,
        plugin: &str,
        changed: &[ReplacedComponent],
    ) -> AbortHandle {
        let core = self.pipeline.as_ref().and_then(|it| it.core()).cloned();
        let ids: Vec<_> = changed.iter().map(|one| one.id.clone()).collect();
        let given_up: FuturesUnordered<_> = changed.iter().map(|one| one.slot.given_up()).collect();
        let builds = self.tasks.of_plugin(plugin);
        self.spawn(async move {
            let faults = FuturesUnordered::new();
            for (core, id) in ids.iter().filter_map(|id| Some((core.as_ref()?, id))) {
                faults.push(core.faulted(id));
            }
            let failures: FuturesUnordered<_> =
                builds.into_iter().map(|(_, build)| build.failed()).collect();
            let (mut faults, mut failures, mut given_up) = (faults, failures, given_up);
            tokio::select! {
                Some(_) = faults.next() => {}
                Some(_) = failures.next() => {}
                Some(()) = given_up.next() => {}
                else => std::future::pending().await,
            }
            ActorEvent::ProbationFailed
        })
    }

    /// Ends the probations of builds that have received more in one turn than is kept for the build
    /// before, which would miss it.
    fn end_without_way_back(&mut self) {
        for (plugin, probation) in &mut self.probations {
            let lost = probation.changed.iter().find(|one| one.slot.has_given_up());
            let Some(lost) = lost.filter(|_| !probation.no_way_back) else { continue };
            probation.no_way_back = true;
            let note = format!(
                "the probation ended early: {} received more in one turn than is kept for the \
                 build before; a shorter turn of `execute` keeps the way back",
                lost.id
            );
            tracing::warn!(plugin, "{note}");
            probation.record.notes.push(note);
            self.observed.end_probation(plugin, Instant::now());
        }
    }

    /// Notes which builds have failed on probation, and for which there is no way back.
    pub(super) fn note_failures(&mut self) {
        self.end_without_way_back();
        let failures: Vec<_> = self
            .probations
            .iter()
            .filter(|(_, probation)| !probation.no_way_back)
            .filter_map(|(plugin, _)| Some((plugin.clone(), self.failure(plugin)?)))
            .collect();
        for (plugin, reason) in failures {
            self.observed.failed(&plugin);
            if let Some(probation) = self.probations.get_mut(&plugin) {
                probation.failure = Some(reason);
            }
        }
    }

    /// Returns why the build on probation has failed, if it has.
    pub(super) fn failure(&self, plugin: &str) -> Option<String> {
        let probation = self.probations.get(plugin)?;
        if probation.failure.is_some() {
            return probation.failure.clone();
        }
        let core = self.pipeline.as_ref().and_then(|it| it.core());
        let mut changed = probation.changed.iter();
        let of_component =
            changed.find_map(|one| Some(format!("{}: {}", one.id, core?.fault(&one.id)?)));
        of_component.or_else(|| {
            let mut tasks = self.tasks.of_plugin(plugin).into_iter();
            tasks.find_map(|(it, build)| Some(format!("task {}: {}", it.id(), build.failure()?)))
        })
    }

    /// Ends a probation because the components and tasks of the plugin have another configuration
    /// now, which a roll-back would not know.
    ///
    /// A build that failed while the configuration was being applied stays in service, with an
    /// alert.
    pub(super) fn confirm_reconfigured(&mut self, plugin: &str) {
        self.note_stays(plugin, "a changed configuration was applied to it meanwhile");
        self.confirm(plugin);
    }

    /// Puts on record that a build stays in service although it failed, if it did.
    fn note_stays(&mut self, plugin: &str, because: &str) {
        if let Some(reason) = self.failure(plugin)
            && let Some(probation) = self.probations.get_mut(plugin)
        {
            probation.record.alert = Some(format!(
                "plugin {plugin} {} failed on probation and stays in service, because {because}: \
                 {reason}; bring another build",
                probation.record.to.unlike(&probation.record.from)
            ));
        }
    }

    /// Ends a probation successfully, and closes the previous build.
    pub(super) fn confirm(&mut self, plugin: &str) {
        if self.probations.get(plugin).is_some_and(|probation| probation.no_way_back) {
            self.note_stays(plugin, "it received too much in one turn to go back");
        }
        let Some(probation) = self.probations.remove(plugin) else { return };
        let PluginProbation { changed, before, ended, tasks, record, watcher, .. } = probation;
        watcher.abort();
        let mut hooks = Vec::new();
        if let Some(pipeline) = &self.pipeline
            && let Some(core) = pipeline.core()
        {
            changed.iter().for_each(|one| core.confirm(&one.id));
            // A component that ended by itself still has its object in the previous build, so
            // its `shutdown` has to be called before that build is closed.
            let left = ended.into_iter().filter(|(id, build)| {
                let member = pipeline.members().iter().find(|it| it.id == *id);
                let current = member.and_then(|it| it.build.as_ref());
                current.is_some_and(|it| it.report_gate.is_same(&build.report_gate))
                    && core.take_hook(&id.as_str().into())
            });
            hooks.extend(left.map(|(_, build)| build));
        }
        changed.iter().for_each(|one| one.slot.stop_keeping());
        hooks.extend(changed.into_iter().map(|one| one.old));
        self.closing.begin(ClosingPlugin {
            tasks: tasks.into_iter().map(|(_, build)| build).collect(),
            drain: self.config.shutdown.drain,
            hooks,
            ..ClosingPlugin::of(before)
        });
        self.record(Replacement { at: now(), ..record });
    }

    /// Puts the previous build back into service.
    pub(super) fn roll_back(&mut self, plugin: String) {
        self.check_is_stale = true;
        let reason = self.failure(&plugin).unwrap_or_default();
        let Some(probation) = self.probations.remove(&plugin) else {
            self.observed.idle(&plugin);
            return;
        };
        probation.watcher.abort();
        // Components that only the new build brought into service are taken out.
        let was_replaced = |id: &str| probation.record.handed.iter().any(|it| it.component == id);
        let is_new = |id: &str, of: &str| of == plugin && !was_replaced(id);
        let mut removals = Vec::new();
        if let Some(pipeline) = &mut self.pipeline {
            removals = pipeline.removals(|one| is_new(&one.id, &one.plugin));
            pipeline.unresolve(|one| is_new(&one.id, &one.plugin));
        }
        let request = RollBackRequest {
            core: self.pipeline.as_ref().and_then(|it| it.core()).cloned(),
            limits: Limits::of(&self.config.reload, OnFailure::Fail),
            drain: self.config.shutdown.drain,
            plugin,
            reason,
            probation,
            removals,
        };
        self.spawn(async move { ActorEvent::RolledBack(Box::new(request.run().await)) });
    }

    pub(super) fn on_rolled_back(&mut self, report: RollBackReport) {
        let RollBackReport { plugin, reason, probation, olds, removed, notes, held } = report;
        let PluginProbation { before, resolved, tasks, mut record, .. } = probation;
        record.notes.extend(notes);
        record.held_us += micros(held);
        if let Some(pipeline) = &mut self.pipeline {
            for (id, old) in olds {
                if let Some(member) = pipeline.get_mut(&id) {
                    member.build = Some(old);
                }
            }
            pipeline.note_removed(&removed, &self.services);
            pipeline.resolve(resolved);
            pipeline.refresh(&plugin);
        }
        let new = self.install_tasks(&plugin, tasks);
        let hash = before.hash().to_owned();
        if let Some(failed) = self.plugins.insert(plugin.clone(), before) {
            let failure = StepFailure::new(RolloutStep::Probation, &reason);
            self.refused.insert(failed.file.clone(), RefusedFile::at_step(&failure));
            if let Some(loaded) = self.plugins.get_mut(&plugin) {
                // The file of the plugin may have been renamed since the replacement.
                failed.file.clone_into(&mut loaded.file);
            }
            let tasks = new.into_iter().map(|(_, build)| build).collect();
            let drain = self.config.shutdown.drain;
            self.closing.begin(ClosingPlugin { tasks, drain, ..ClosingPlugin::of(failed) });
        }
        self.observed.rolled_back(&plugin, hash, &self.desired);
        record.alert = Some(format!(
            "plugin {plugin} {} failed on probation and {} is back in service: {reason}; bring \
             another build, for a restart would load this one",
            record.to.unlike(&record.from),
            record.from.unlike(&record.to)
        ));
        record.outcome = ReplacementOutcome::RolledBack { reason };
        self.record(Replacement { at: now(), ..record });
    }
}

/// The operation that rolls a plugin back.
struct RollBackRequest {
    plugin: String,
    reason: String,
    probation: PluginProbation,
    core: Option<PluginCore>,
    removals: Vec<ComponentRemoval>,
    limits: Limits,
    drain: Duration,
}

impl RollBackRequest {
    async fn run(self) -> RollBackReport {
        let Self { plugin, reason, mut probation, core, removals, limits, drain } = self;
        let changed = std::mem::take(&mut probation.changed);
        let olds = changed.iter().map(|it| (it.id.to_string(), it.old.clone())).collect();
        let (mut notes, mut held, mut removed) = (Vec::new(), Duration::ZERO, Vec::new());
        if let Some(core) = core {
            (notes, held) = roll_back(&core, changed, limits).await;
            removed = take_out(removals, &core, drain).await;
        }
        RollBackReport { plugin, reason, probation, olds, removed, notes, held }
    }
}
