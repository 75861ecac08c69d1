//! The plugins folder.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Something in the folder that a plugin could be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its path.
    pub path: PathBuf,
}

/// The entries of the folder that end in `.so`, by name. Other files are not
/// plugins and none of our business.
///
/// # Errors
/// If the folder can't be read.
pub fn scan(folder: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "so") {
            found.push(Found { path });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}
