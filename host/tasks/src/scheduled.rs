//! Tasks with their schedules.

use std::time::Duration;

use hotbay_plugin_api::FunctionKind;
use serde_json::Value;

/// One task of a plugin, with its schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduledTask {
    /// The name of the plugin.
    pub plugin: String,
    /// The name of the task in its plugin.
    pub task: String,
    /// The kind of the task's function: async, or sync on a thread of its own.
    pub kind: FunctionKind,
    /// The time between the starts of two runs; `None` for one run at start.
    pub interval: Option<Duration>,
    /// The settings that each run gets, always a JSON object.
    pub config: Value,
}

impl ScheduledTask {
    /// Returns the id of the task among the tasks of all plugins: `plugin/task`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.plugin, self.task)
    }
}
