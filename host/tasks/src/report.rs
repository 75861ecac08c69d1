//! The reports of tasks and their runs.

use hotbay_plugin_api::FunctionKind;
use serde::Serialize;

/// The report of one task.
#[derive(Debug, Clone, Serialize)]
pub struct TaskReport {
    /// The id of the task, `plugin/task`.
    pub id: String,
    /// The schedule of the task, as text.
    pub schedule: String,
    /// The kind of the task's function.
    pub kind: FunctionKind,
    /// The task waits for its plugin.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub waits: bool,
    /// The task runs again and again, so that a failed run is not its end.
    #[serde(skip)]
    pub repeats: bool,
    /// The number of runs that have ended.
    pub runs: u64,
    /// The number of these runs that failed.
    pub failed: u64,
    /// The error of the last run that failed.
    pub last_error: Option<String>,
}
