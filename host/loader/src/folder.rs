//! The files of the plugins folder.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Returns the paths of the entries of a folder that end in `.so`, sorted by name. Other files
/// are not plugins and are ignored.
///
/// # Errors
/// If the folder cannot be read.
pub fn scan(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "so") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
