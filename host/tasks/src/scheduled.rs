//! A task with its schedule.

use std::time::Duration;

use hotbay_plugin_api::FunctionKind;
use serde_json::Value;

/// One task of a plugin, with its schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Scheduled {
    pub plugin: String,
    pub task: String,
    pub kind: FunctionKind,
    /// `None`: once, at start.
    pub interval: Option<Duration>,
    pub config: Value,
}

impl Scheduled {
    /// The task's name among all plugins' tasks.
    pub fn id(&self) -> String {
        format!("{}/{}", self.plugin, self.task)
    }
}
