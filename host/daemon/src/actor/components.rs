//! Starting the components of the pipeline.

use std::{collections::BTreeMap, sync::Arc};

use super::{Actor, ActorEvent};
use crate::{
    HostError,
    pipeline::{PluginEngine, StartResult, Strictness, make_all, start_more},
    reconcile::EngineState,
};

/// The report of an operation that made or started components.
pub(crate) enum EngineReport {
    /// The components for the first start were made.
    Made(Vec<StartResult>),
    /// The first start of the engine ended.
    Running(Result<(), HostError>),
    /// Components of a plugin were started beside running ones.
    More { plugin: String, started: Vec<StartResult> },
}

impl Actor {
    pub(super) fn start_engine(&mut self) {
        let generation = |(name, it): (&String, &crate::plugins::LoadedPlugin)| {
            (name.clone(), Arc::clone(&it.generation))
        };
        let generations: BTreeMap<_, _> = self.plugins.iter().map(generation).collect();
        let Some(pipeline) = &mut self.pipeline else { return };
        let requests = pipeline.requests(&generations);
        // At the first start of the host, a component has no time limit.
        let limit = match self.strictness {
            Strictness::All => None,
            Strictness::Each => Some(self.config.reload.initialize),
        };
        let services = self.services.clone();
        self.spawn(async move {
            ActorEvent::Engine(EngineReport::Made(make_all(requests, &services, limit).await))
        });
    }

    pub(super) fn start_components(&mut self, plugin: String) {
        let generation = self.generation(&plugin);
        let startable = match (&mut self.pipeline, &generation) {
            (Some(pipeline), Some(generation)) => pipeline.startable(&plugin, generation),
            _ => Vec::new(),
        };
        let engine = self.pipeline.as_ref().and_then(|it| it.engine()).cloned();
        let Some(engine) = engine.filter(|_| !startable.is_empty()) else {
            self.observed.idle(&plugin);
            return;
        };
        let (services, limit) = (self.services.clone(), self.config.reload.initialize);
        self.spawn(async move {
            let started = start_more(startable, &engine, &services, limit).await;
            ActorEvent::Engine(EngineReport::More { plugin, started })
        });
    }

    /// Handles the report of making or starting components.
    ///
    /// # Errors
    /// If the first start failed. The host ends then.
    pub(super) fn on_engine(&mut self, report: EngineReport) -> Result<(), HostError> {
        match report {
            EngineReport::Made(started) => self.build_engine(started),
            EngineReport::Running(result) => {
                self.observed.engine = EngineState::Running;
                self.all_ended = false;
                self.watch_end();
                self.strictness = Strictness::Each;
                result
            }
            EngineReport::More { plugin, started } => {
                if let Some(pipeline) = &mut self.pipeline {
                    pipeline.note_started(started);
                }
                self.observed.idle(&plugin);
                Ok(())
            }
        }
    }

    /// Builds the engine of the components that were made, and starts it.
    fn build_engine(&mut self, started: Vec<StartResult>) -> Result<(), HostError> {
        let (strictness, limit) = (self.strictness, self.config.reload.initialize);
        let Some(pipeline) = &mut self.pipeline else { return Ok(()) };
        let with = (started, strictness);
        let Some(engine) = pipeline.build(&self.config, &self.services, with)? else {
            self.observed.engine = EngineState::Waiting;
            return Ok(());
        };
        self.spawn(async move {
            let result = match strictness {
                Strictness::All => engine.start().await,
                Strictness::Each => engine.start_those_that_can(limit).await,
            };
            ActorEvent::Engine(EngineReport::Running(result.map_err(HostError::from)))
        });
        Ok(())
    }

    /// Wakes the loop when all components have ended by themselves.
    fn watch_end(&mut self) {
        let Some(engine) = self.pipeline.as_ref().and_then(|it| it.engine()).cloned() else {
            return;
        };
        self.spawn(async move {
            engine.wait().await;
            ActorEvent::Ended
        });
    }

    /// Returns `true` if all components have ended and nothing is under way that may start one.
    pub(super) fn has_ended(&mut self) -> bool {
        if !self.all_ended || !self.observed.is_idle() || self.observed.reconfiguring {
            return false;
        }
        let engine = self.pipeline.as_ref().and_then(|it| it.engine());
        let has_ended =
            |it: &Arc<PluginEngine>| it.statuses().iter().all(|(_, status)| status.has_ended());
        let ended = engine.is_some_and(has_ended);
        if !ended {
            // A component was started meanwhile.
            self.all_ended = false;
            self.watch_end();
        }
        ended
    }
}
