//! How one build of a component gives way to the next.

use serde::{Deserialize, Serialize};

/// How one build of a component gives way to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handover {
    /// The next build is initialized while this one still has everything that it holds.
    #[default]
    Overlapping,
    /// This build is suspended before the next one is made, so that never more than one build holds
    /// what only one may hold. While the next build is on probation, it stays suspended.
    Exclusive,
}

impl Handover {
    /// Returns how a component with these resources gives way: exclusively, if it has any.
    pub const fn of(resources: &[&str]) -> Self {
        if resources.is_empty() { Self::Overlapping } else { Self::Exclusive }
    }
}
