//! The delays between the attempts of a run.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::millis;

/// The growth of the delay from one attempt of a run to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Backoff {
    /// Every delay is the task's retry delay.
    #[default]
    Constant,
    /// Every delay is twice the one before, up to a cap.
    Exponential {
        /// The longest delay between two attempts; written in milliseconds as `cap_ms`.
        #[serde(rename = "cap_ms", with = "millis")]
        cap: Duration,
    },
}
