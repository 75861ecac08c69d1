//! The kinds of tasks that a plugin offers for submission.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::FunctionKind;

/// A kind of task of which somebody may submit a run, with parameters of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskKindSpec {
    /// The kind's name, unique among the kinds of its plugin.
    pub name: String,
    /// One line for people.
    #[serde(default)]
    pub description: String,
    /// Whether its function is async or occupies a thread.
    pub function: FunctionKind,
    /// The JSON Schema of the parameters, which a run gets as its arguments.
    #[serde(default)]
    pub parameters: Value,
}
