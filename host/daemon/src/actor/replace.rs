//! Replacing the build in service by a loaded one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hotbay_core::FOREVER;
use hotbay_runtime::replacement::{
    Limits, OnFailure, ReplaceError, ReplacedComponent, Swap, replace,
};
use hotbay_store::record::{Handed, Replacement, micros};

use super::{Actor, ActorEvent, load::LoadedBuild, probation::PluginProbation};
use crate::{
    plugins::ClosingPlugin,
    refused::{RolloutStep, StepFailure},
};

/// The report of an operation that replaced the components of a plugin, or did not.
pub(crate) struct ReplaceReport {
    plugin: String,
    build: LoadedBuild,
    result: Result<Vec<ReplacedComponent>, ReplaceError>,
    held: Duration,
}

impl Actor {
    pub(super) fn replace(&mut self, plugin: String) {
        let Some(build) = self.loaded_builds.remove(&plugin) else {
            self.observed.idle(&plugin);
            return;
        };
        let pipeline = self.pipeline.as_ref();
        let core = pipeline.and_then(|it| it.core()).cloned();
        let setups = pipeline.map(|it| it.setups(&build.components)).unwrap_or_default();
        let limits = Limits::of(&self.config.reload, OnFailure::Hold);
        let services = self.services.clone();
        self.spawn(async move {
            let to = Arc::clone(&build.plugin.generation);
            let swaps: Vec<_> =
                setups.into_iter().map(|(setup, old)| Swap { setup, old, to: &*to }).collect();
            let (result, held) = match &core {
                Some(core) => replace(core, &swaps, &services, limits).await,
                None => (Ok(Vec::new()), Duration::ZERO),
            };
            ActorEvent::Replaced(Box::new(ReplaceReport { plugin, build, result, held }))
        });
    }

    pub(super) fn on_replaced(&mut self, report: ReplaceReport) {
        let ReplaceReport { plugin, build, result, held } = report;
        let LoadedBuild { plugin: loaded, components, tasks } = build;
        let changed = match result {
            Ok(changed) => changed,
            Err(failed) => {
                // The tasks have objects in the build, which is about to be closed.
                drop(tasks);
                let reason = format!("{}: {}", failed.component, failed.cause);
                let failure = StepFailure::new(RolloutStep::Replace(failed.step), &reason);
                let (file, to) = (loaded.file.clone(), loaded.build());
                self.closing.begin(ClosingPlugin::of(loaded));
                self.refuse_build(&plugin, &file, to, &failure);
                return;
            }
        };
        let (mut resolved, mut ended) = (Vec::new(), Vec::new());
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.note_replaced(&changed);
            let members = pipeline.members().iter().filter(|member| member.plugin == plugin);
            resolved.extend(members.filter_map(|member| member.resolved.clone()));
            ended = pipeline.ended(&plugin);
            pipeline.resolve(components);
            pipeline.refresh(&plugin);
        }
        let tasks = self.install_tasks(&plugin, tasks);
        self.refused.remove(&loaded.file);
        // Those beside the new build are in force.
        self.refused_settings.remove(&plugin);
        tracing::info!(plugin, number = loaded.number, "loaded");
        let to = loaded.build();
        let Some(before) = self.plugins.insert(plugin.clone(), loaded) else { return };
        let mut record = Replacement::new(&plugin, before.build(), to);
        record.held_us = micros(held);
        record.handed = changed.iter().map(handed).collect();
        let watcher = self.watch_probation(&plugin, &changed);
        let until = Instant::now() + self.config.reload.probation.min(FOREVER);
        self.observed.put_in_service(&plugin, Some(until));
        let probation = PluginProbation {
            changed,
            ended,
            before,
            resolved,
            tasks,
            record,
            failure: None,
            no_way_back: false,
            watcher,
        };
        self.probations.insert(plugin, probation);
        self.look_for_gone();
    }
}

fn handed(one: &ReplacedComponent) -> Handed {
    Handed {
        component: one.id.to_string(),
        version: one.state.as_ref().map(|state| state.version),
        bytes: one.state.as_ref().map_or(0, |state| state.bytes.len()),
    }
}
