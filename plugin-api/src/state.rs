//! The state that a component hands over to its next build.

use std::fmt;

#[cfg(feature = "spec")]
use serde::{Serialize, de::DeserializeOwned};

use crate::SchedulerError;

/// The state of a component, on its way from one build to the next.
///
/// The version is the author's: raise it whenever the meaning of the bytes changes.
/// A build that finds a version that it can't read refuses it; then the replacement
/// does not take place and the old build goes on.
#[derive(Clone, PartialEq, Eq)]
pub struct SavedState {
    /// The version of the bytes' layout.
    pub version: u32,
    /// The state, in any format that the author chooses.
    pub bytes: Vec<u8>,
}

#[cfg(feature = "spec")]
impl SavedState {
    /// Makes a state from a value, as JSON.
    ///
    /// # Errors
    /// [`SchedulerError::State`] if the value is not plain data.
    pub fn json(version: u32, value: &impl Serialize) -> Result<Self, SchedulerError> {
        match serde_json::to_vec(value) {
            Ok(bytes) => Ok(Self { version, bytes }),
            Err(error) => Err(SchedulerError::State(format!("it can't be written: {error}"))),
        }
    }

    /// Reads a state that was written by [`json`](Self::json) under this version.
    ///
    /// # Errors
    /// [`SchedulerError::State`] if it has another version, or not this shape.
    pub fn read_json<T: DeserializeOwned>(&self, version: u32) -> Result<T, SchedulerError> {
        if self.version != version {
            return Err(self.unknown(&format!("version {version}")));
        }
        serde_json::from_slice(&self.bytes).map_err(|error| {
            SchedulerError::State(format!("version {version} does not have its shape: {error}"))
        })
    }
}

impl SavedState {
    /// Returns the error of a build that can't read this version.
    pub fn unknown(&self, readable: &str) -> SchedulerError {
        let version = self.version;
        SchedulerError::State(format!("it has version {version}, this build reads {readable}"))
    }
}

impl fmt::Debug for SavedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SavedState");
        shown.field("version", &self.version).field("bytes", &self.bytes.len()).finish()
    }
}

#[cfg(all(test, feature = "spec"))]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_read_under_its_own_version_only() {
        let state = SavedState::json(2, &vec![1, 2, 3]).unwrap();
        assert_eq!(state.read_json::<Vec<i32>>(2).unwrap(), [1, 2, 3]);
        let text = state.read_json::<Vec<i32>>(1).unwrap_err().to_string();
        assert!(text.contains("version 2") && text.contains("reads version 1"), "{text}");
        assert!(matches!(state.read_json::<String>(2), Err(SchedulerError::State(_))));
    }
}
