//! One component of the configuration, whether it runs or waits for its plugin.

use hotbay_plugin_api::Role;
use tokio_util::sync::CancellationToken;

use crate::{
    app::wiring::Wired,
    config::ComponentEntry,
    plugin::Seat,
    reload::change::{Plan, Seated},
};

/// One component.
pub(in crate::app) struct Member {
    pub(in crate::app) role: Role,
    pub(in crate::app) id: String,
    pub(in crate::app) plugin: String,
    /// Survives its builds.
    pub(in crate::app) seat: Seat,
    pub(in crate::app) cancel: CancellationToken,
    /// What it comes to with the plugin in service; `None` while that is missing.
    pub(in crate::app) wired: Option<Wired>,
    /// What is in its place in the engine.
    pub(in crate::app) seated: Option<Seated>,
    /// Whether the engine knows its name.
    pub(in crate::app) known: bool,
    /// Whether something changed since it was last tried to start it.
    pub(in crate::app) fresh: bool,
}

/// What a component does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::app) enum Stand {
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
    pub(in crate::app) fn plan(&self, wired: &Wired) -> Plan {
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
