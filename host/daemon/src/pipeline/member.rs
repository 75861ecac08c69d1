//! One component of the configuration, whether it runs or waits for its plugin.

use hotbay_config::ComponentEntry;
use hotbay_plugin_api::Role;
use hotbay_runtime::{
    ComponentSlot,
    replacement::{ComponentBuild, ComponentPlan},
};
use tokio_util::sync::CancellationToken;

use crate::resolve::ResolvedComponent;

/// One component.
pub(crate) struct Member {
    pub(crate) role: Role,
    pub(crate) id: String,
    pub(crate) plugin: String,
    /// Survives the builds of the component.
    pub(crate) slot: ComponentSlot,
    pub(crate) cancel: CancellationToken,
    /// What it is with the plugin in service; `None` while the plugin is missing.
    pub(crate) resolved: Option<ResolvedComponent>,
    /// What is in its place in the engine.
    pub(crate) build: Option<ComponentBuild>,
    /// Whether the engine knows its name.
    pub(crate) known: bool,
    /// Whether something changed since it was last tried to start it.
    pub(crate) fresh: bool,
}

/// What a component does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemberState {
    Waits,
    Runs,
    Failed,
    Ended,
}

impl Member {
    pub(super) fn new(entry: &ComponentEntry, source: u32, cancel: CancellationToken) -> Self {
        Self {
            role: entry.role,
            id: entry.id.clone(),
            plugin: entry.plugin.clone(),
            slot: ComponentSlot::new(entry.id.clone(), source),
            cancel,
            resolved: None,
            build: None,
            known: false,
            fresh: false,
        }
    }

    /// How to make it as it is resolved.
    pub(crate) fn plan(&self, resolved: &ResolvedComponent) -> ComponentPlan {
        ComponentPlan {
            slot: self.slot.clone(),
            component: resolved.component.clone(),
            connections: resolved.connections.clone(),
            config: resolved.config.clone(),
            state: resolved.state,
            cancel: self.cancel.clone(),
        }
    }
}
