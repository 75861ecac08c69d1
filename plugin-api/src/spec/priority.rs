//! The priorities that order tasks which are due at the same time.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The priority of a task among those that are due at the same time: the greater number goes first.
///
/// It crosses as a number. The named priorities are numbers like any other.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Priority(pub i16);

impl Priority {
    /// Before those of [`Priority::NORMAL`]: 100.
    pub const HIGH: Self = Self(100);
    /// The priority of a task that says nothing about it: 0.
    pub const NORMAL: Self = Self(0);
    /// After those of [`Priority::NORMAL`]: -100.
    pub const LOW: Self = Self(-100);
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::HIGH => f.pad("high"),
            Self::NORMAL => f.pad("normal"),
            Self::LOW => f.pad("low"),
            Self(number) => fmt::Display::fmt(&number, f),
        }
    }
}
