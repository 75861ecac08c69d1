//! Reading whole files, by their paths.

use std::path::Path;

use crate::{AccessError, CheckedFile, CheckedFolder};

/// Opens a file after the same checks that a plugin must pass. At most `cap` bytes can be read.
///
/// The path may be a symbolic link, because tools of operators create them. The link and its folder
/// are then checked as well as the file and the file's folder.
///
/// # Errors
/// If the file does not exist or fails a check.
pub fn open_behind_links(path: &Path, cap: u64) -> Result<CheckedFile, AccessError> {
    let (folder, name) = CheckedFolder::behind_links(path)?;
    folder.open(&name, cap)
}

/// Reads a text file of at most `cap` bytes, as [`open_behind_links`] opens it.
///
/// # Errors
/// If the file does not exist, fails a check, or is not UTF-8 text.
pub fn read_text(path: &Path, cap: u64) -> Result<String, AccessError> {
    open_behind_links(path, cap)?.read_to_text()
}

/// Opens and checks a file, of which at most `cap` bytes can be read. The file may not be a link.
///
/// # Errors
/// If the file does not exist, or if it or its folder fails a check.
pub fn open(path: &Path, cap: u64) -> Result<CheckedFile, AccessError> {
    let name = path.file_name().ok_or(AccessError::NotAFile("a folder"))?;
    CheckedFolder::of(path)?.open(name, cap)
}
