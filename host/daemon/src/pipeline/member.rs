//! One component of the configuration, whether it runs or waits for its plugin.

use hotbay_plugin_api::Role;
use tokio_util::sync::CancellationToken;

use crate::wiring::Wired;
use hotbay_config::ComponentEntry;
use hotbay_runtime::{
    Seat,
    change::{Plan, Seated},
};

/// One component.
pub(crate) struct Member {
    pub(crate) role: Role,
    pub(crate) id: String,
    pub(crate) plugin: String,
    /// Survives its builds.
    pub(crate) seat: Seat,
    pub(crate) cancel: CancellationToken,
    /// What it comes to with the plugin in service; `None` while that is missing.
    pub(crate) wired: Option<Wired>,
    /// What is in its place in the engine.
    pub(crate) seated: Option<Seated>,
    /// Whether the engine knows its name.
    pub(crate) known: bool,
    /// Whether something changed since it was last tried to start it.
    pub(crate) fresh: bool,
}

/// What a component does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stand {
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
            seat: Seat::new(entry.id.clone(), source),
            cancel,
            wired: None,
            seated: None,
            known: false,
            fresh: false,
        }
    }

    /// How to make it.
    pub(crate) fn plan(&self, wired: &Wired) -> Plan {
        Plan {
            seat: self.seat.clone(),
            component: wired.component.clone(),
            connections: wired.connections.clone(),
            config: wired.config.clone(),
            state: wired.state,
            cancel: self.cancel.clone(),
        }
    }
}
