//! The trust modes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is done about a file that nobody vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrustMode {
    /// It is loaded.
    #[default]
    Off,
    /// It is loaded, with a warning.
    Warn,
    /// It is refused.
    Enforce,
}

impl fmt::Display for TrustMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Enforce => "enforce",
        })
    }
}
