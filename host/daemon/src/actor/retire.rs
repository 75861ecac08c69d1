//! Taking plugins out of service whose files are gone.

use super::{Actor, ActorEvent};
use crate::{
    HostEvent,
    pipeline::{RemovedComponent, take_out},
    plugins::ClosingPlugin,
};

/// The report of an operation that took a plugin's components out.
pub(crate) struct RetireReport {
    plugin: String,
    removed: Vec<RemovedComponent>,
}

impl Actor {
    /// Takes a plugin out of service after the events that are queued for its components.
    pub(super) fn retire(&mut self, plugin: String) {
        let drain = self.config.shutdown.drain;
        let mut removals = Vec::new();
        if let Some(pipeline) = &mut self.pipeline {
            removals = pipeline.removals(|member| member.plugin == plugin);
            pipeline.unresolve(|member| member.plugin == plugin);
        }
        let core = self.pipeline.as_ref().and_then(|it| it.core()).cloned();
        self.spawn(async move {
            let removed = match core {
                Some(core) => take_out(removals, &core, drain).await,
                None => Vec::new(),
            };
            ActorEvent::Retired(RetireReport { plugin, removed })
        });
    }

    pub(super) fn on_retired(&mut self, RetireReport { plugin, removed }: RetireReport) {
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.note_removed(&removed, &self.services);
        }
        let before = self.tasks.uninstall(&plugin);
        self.follow_events();
        if let Some(loaded) = self.plugins.remove(&plugin) {
            tracing::info!(plugin, "its file is gone: retired");
            let tasks = before.into_iter().map(|(_, build)| build).collect();
            let drain = self.config.shutdown.drain;
            self.closing.begin(ClosingPlugin { tasks, drain, ..ClosingPlugin::of(loaded) });
        }
        self.refused_settings.remove(&plugin);
        self.observed.retired(&plugin);
        self.look_for_gone();
        self.send_event(HostEvent::Retired { plugin });
    }
}
