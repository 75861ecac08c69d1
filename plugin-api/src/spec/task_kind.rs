//! The kinds of tasks that a plugin offers for submission.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{FunctionKind, fields::Fields};

/// A kind of task of which somebody may submit a run, with parameters of their own.
///
/// Fields that a host does not know are treated as in a [`TaskSpec`](super::TaskSpec).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskKindSpec {
    /// The kind's name, unique among the kinds of its plugin.
    pub name: String,
    /// A description of the kind of task in one line.
    pub description: String,
    /// The kind of the function.
    pub function: FunctionKind,
    /// The JSON Schema of the parameters, which a run gets as its arguments.
    pub parameters: Value,
    /// Fields that this host does not understand and that may change what it ought to do.
    #[serde(flatten)]
    pub not_understood: Map<String, Value>,
}

impl<'de> Deserialize<'de> for TaskKindSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields(Map::deserialize(deserializer)?);
        Ok(Self {
            name: fields.required("name")?,
            description: fields.take("description", String::new()),
            function: fields.required("function")?,
            parameters: fields.take("parameters", Value::Null),
            not_understood: fields.with_effect(),
        })
    }
}
