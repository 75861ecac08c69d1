//! What becomes of a run whose dependencies failed.

use serde::{Deserialize, Serialize};

/// What becomes of a run if a task on which it depends did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "abi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnDependencyFailure {
    /// The run does not take place.
    #[default]
    Skip,
    /// The run takes place all the same.
    Run,
    /// The run fails without an attempt.
    Fail,
}
