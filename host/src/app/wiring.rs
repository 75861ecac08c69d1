//! What the configuration means, once it was held against the plugins.

use std::time::Duration;

use hotbay_plugin_api::TaskKind;

use crate::{config::Role, plugin::Connections};

/// Everything that is to be made.
#[derive(Debug, Default)]
pub(super) struct Wiring {
    /// In the direction of the data.
    pub(super) components: Vec<Wired>,
    pub(super) tasks: Vec<Scheduled>,
}

/// One component of the pipeline.
#[derive(Debug)]
pub(super) struct Wired {
    pub(super) role: Role,
    pub(super) id: String,
    pub(super) plugin: String,
    /// Its name in the plugin.
    pub(super) component: String,
    pub(super) connections: Connections,
    pub(super) config: serde_json::Value,
}

/// One task of a plugin, with its schedule.
#[derive(Debug, Clone)]
pub(super) struct Scheduled {
    pub(super) plugin: String,
    pub(super) task: String,
    pub(super) kind: TaskKind,
    /// `None`: once, at start.
    pub(super) interval: Option<Duration>,
    pub(super) config: serde_json::Value,
}

impl Scheduled {
    /// The task's name among all plugins' tasks.
    pub(super) fn id(&self) -> String {
        format!("{}/{}", self.plugin, self.task)
    }
}
