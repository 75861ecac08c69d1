//! Reading whole files, by their paths.

use std::{
    io::{self, ErrorKind},
    path::Path,
};

use rustix::fs::{FileType, Mode, fstat, openat};

use crate::{
    AccessError, CheckedFile, CheckedFolder,
    walk::{LOOK, Walk},
};

/// Reads a text file of at most `cap` bytes after the same checks that a plugin must pass.
///
/// The path may be a symbolic link, because tools of operators create them. The link and its folder
/// are then checked as well as the file and the file's folder.
///
/// # Errors
/// If the file does not exist, fails a check, or is not UTF-8 text.
pub fn read_text(path: &Path, cap: u64) -> Result<String, AccessError> {
    let mut walk = Walk::begin(path)?;
    let file = loop {
        let Some(name) = walk.reach_last()? else { return Err(AccessError::NotAFile("a folder")) };
        let found = openat(&walk.at, &name, LOOK, Mode::empty());
        let folder = CheckedFolder::check(walk.at.try_clone().map_err(AccessError::Unreadable)?)?;
        let found = found?;
        let stat = fstat(&found)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            break folder.open(&name, cap)?;
        }
        walk.follow(&found, &stat)?;
    };
    let text = String::from_utf8(file.read_to_end()?);
    text.map_err(|error| AccessError::Unreadable(io::Error::new(ErrorKind::InvalidData, error)))
}

/// Opens and checks a file, of which at most `cap` bytes can be read. The file may not be a link.
///
/// # Errors
/// If the file does not exist, or if it or its folder fails a check.
pub fn open(path: &Path, cap: u64) -> Result<CheckedFile, AccessError> {
    let name = path.file_name().ok_or(AccessError::NotAFile("a folder"))?;
    CheckedFolder::of(path)?.open(name, cap)
}
