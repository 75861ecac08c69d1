//! The members of a pipeline.

use hotbay_config::ComponentEntry;
use hotbay_plugin_api::Role;
use hotbay_runtime::{ComponentSetup, ComponentSlot, replacement::ComponentBuild};
use tokio_util::sync::CancellationToken;

use crate::resolved::ResolvedComponent;

/// One component of the configuration, which runs or waits for its plugin.
pub(crate) struct Member {
    pub(crate) role: Role,
    pub(crate) id: String,
    pub(crate) plugin: String,
    /// The slot of the component, which survives its builds.
    pub(crate) slot: ComponentSlot,
    pub(crate) cancel: CancellationToken,
    /// The component as resolved with the plugin in service; `None` while the plugin is missing.
    pub(crate) resolved: Option<ResolvedComponent>,
    /// The build that the engine runs, or that has ended there.
    pub(crate) build: Option<ComponentBuild>,
    /// The component is registered with the engine.
    pub(crate) is_registered: bool,
    /// The component may be started: something has changed since the last attempt.
    pub(crate) may_start: bool,
}

/// The state of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemberState {
    /// The component waits for a build that can be started.
    Waits,
    /// The component is initialized, runs or is held.
    Runs,
    /// The component has failed.
    Failed,
    /// The component has ended by itself, or is being stopped.
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
            is_registered: false,
            may_start: false,
        }
    }

    /// Returns `true` if this component is that member of the pipeline, and not another one of
    /// the same name.
    pub(crate) fn is_place_of(&self, resolved: &ResolvedComponent) -> bool {
        self.id == resolved.id && self.role == resolved.role && self.plugin == resolved.plugin
    }

    /// Returns what the member is made with, as it is resolved.
    pub(crate) fn setup(&self, resolved: &ResolvedComponent) -> ComponentSetup {
        ComponentSetup {
            slot: self.slot.clone(),
            spec: resolved.spec.clone(),
            cancel: self.cancel.clone(),
        }
    }
}
