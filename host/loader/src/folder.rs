//! The files of the plugins folder.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Returns the paths of the libraries in a folder, sorted by name. Files for which
/// [`is_library`] is `false` are not plugins and are ignored.
///
/// # Errors
/// If the folder cannot be read.
pub fn scan(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if is_library(&path) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Returns `true` if a file of the plugins folder counts as a library by its name: it ends in `.so`,
/// is not hidden, and is valid Unicode.
///
/// Copying programs and editors give hidden names to files that are not complete yet, and operators
/// to files that they put aside.
pub fn is_library(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.ends_with(".so") && !name.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_files_and_other_endings_are_no_libraries() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["libb.so", "liba.so", ".libhello.so", "._liba.so", ".so", "liba.so~", "a.SO"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let files = scan(folder.path()).unwrap();
        assert_eq!(files, ["liba.so", "libb.so"].map(|name| folder.path().join(name)));
    }
}
