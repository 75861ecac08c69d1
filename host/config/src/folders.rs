//! The folders that belong to a configuration file.

use std::path::{Component, Path, PathBuf};

/// Returns the folder that relative paths in a file refer to.
pub(crate) fn base_dir(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Resolves a path that a file names against the folder of the file.
///
/// Messages show the result, so it is without `.` and, where that names the same folder, without
/// `..`.
pub(crate) fn resolved(file: &Path, path: &Path) -> PathBuf {
    let mut resolved = PathBuf::new();
    for part in base_dir(file).join(path).components() {
        let goes_up = part == Component::ParentDir
            && matches!(resolved.components().next_back(), Some(Component::Normal(_)))
            // Behind a link, `..` is the folder around the link's target.
            && !resolved.is_symlink();
        if goes_up {
            resolved.pop();
        } else if part != Component::CurDir {
            resolved.push(part);
        }
    }
    // Not the empty path, which names no folder.
    if resolved.as_os_str().is_empty() { PathBuf::from(".") } else { resolved }
}

/// Returns the state folder for a file that does not name one: a hidden folder beside the file,
/// which no other configuration file shares.
pub(crate) fn state_folder(file: &Path) -> PathBuf {
    base_dir(file).join(".hotbay").join(file.file_stem().unwrap_or_default())
}
