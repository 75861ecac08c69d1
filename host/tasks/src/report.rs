//! What became of a task's runs, for reports.

use hotbay_plugin_api::FunctionKind;
use serde::Serialize;

/// One task's part of the report.
#[derive(Debug, Clone, Serialize)]
pub struct TaskReport {
    /// `plugin/task`.
    pub id: String,
    /// When it runs.
    pub schedule: String,
    /// Async or sync.
    pub kind: FunctionKind,
    /// Whether it waits for its plugin.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub waits: bool,
    /// How often it ran.
    pub runs: u64,
    /// How many of these runs failed.
    pub failed: u64,
    /// Why the last of them failed.
    pub last_error: Option<String>,
}
