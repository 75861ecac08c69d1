//! Paths in JSON: as text, with replacement characters where a name is not Unicode.
//!
//! `serde` refuses such a path, and one file with an odd name would keep a whole document from
//! being written.

use std::path::Path;

use serde::Serializer;

/// Serializes a path as text.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}
