//! The request with which a host makes a run.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The request of a host to make a run.
///
/// A plugin ignores fields that it does not know, so a field that is added later must be
/// one that a run can do without.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRequest {
    /// The task or task kind that is to run.
    pub target: RunTarget,
    /// The run and its attempt.
    #[serde(flatten)]
    pub info: RunInfo,
    /// The arguments, a JSON object, which is empty by default.
    #[serde(default = "no_arguments")]
    pub arguments: Value,
}

/// Identifies one attempt of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInfo {
    /// The run's id. All attempts of a run have the same.
    pub id: String,
    /// The number of the attempt, from 1.
    pub attempt: u32,
}

/// The entry of a plugin's manifest that a run is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunTarget {
    /// The task of this name, of `PLUGIN_TASKS`.
    Task(String),
    /// The task kind of this name, of `PLUGIN_TASK_KINDS`.
    TaskKind(String),
}

fn no_arguments() -> Value {
    Value::Object(serde_json::Map::new())
}
