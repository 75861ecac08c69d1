//! What a run is made with.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a host gives a plugin to make a run.
///
/// A plugin ignores fields that it does not know, so a field that is added later must be
/// one that a run can do without.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRequest {
    /// What is to run.
    pub target: RunTarget,
    /// Which run it is.
    #[serde(flatten)]
    pub info: RunInfo,
    /// The arguments: an object, empty unless somebody gave some.
    #[serde(default = "no_arguments")]
    pub arguments: Value,
}

/// Which run of a task is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInfo {
    /// The run's id. All attempts of a run have the same.
    pub id: String,
    /// Which attempt it is, from 1.
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
