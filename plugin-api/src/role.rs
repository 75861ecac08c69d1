//! The places that components take in an engine.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A component's place in an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Brings events in from outside, such as from an exchange or a file.
    Connector,
    /// Merges the events of all connectors into one ordered stream.
    Aggregator,
    /// Decides on orders from the merged stream.
    Strategy,
    /// Carries out the orders of the strategies.
    Executor,
}

impl Role {
    /// All roles, in the direction of the data.
    pub const ALL: [Self; 4] = [Self::Connector, Self::Aggregator, Self::Strategy, Self::Executor];

    /// The role's name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connector => "connector",
            Self::Aggregator => "aggregator",
            Self::Strategy => "strategy",
            Self::Executor => "executor",
        }
    }

    /// The key of a pipeline's configuration under which components of this role stand.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Connector => "connectors",
            Self::Aggregator => "aggregator",
            Self::Strategy => "strategies",
            Self::Executor => "executors",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
