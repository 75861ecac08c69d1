//! The folders that belong to a configuration file.

use std::path::{Path, PathBuf};

/// Returns the folder that relative paths in a file refer to.
pub(crate) fn base_dir(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Returns the state folder for a file that does not name one: a hidden folder beside the file,
/// which no other configuration file shares.
pub(crate) fn state_folder(file: &Path) -> PathBuf {
    base_dir(file).join(".hotbay").join(file.file_stem().unwrap_or_default())
}
