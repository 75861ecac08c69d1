//! Open folders whose entries no other user can change.

use std::{
    ffi::OsStr,
    fs::File,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::Path,
};

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};

use crate::{
    AccessError, CheckedFile, Place,
    file::require_file,
    owner,
    walk::{LOOK, Walk},
};

/// What happens if a folder does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Opening the folder fails.
    IsAnError,
    /// The folder and its missing parents are made, for this user alone.
    IsMade,
}

/// An open folder whose entries no other user can change.
#[derive(Debug)]
pub struct CheckedFolder(OwnedFd);

impl CheckedFolder {
    /// Opens and checks the folder that contains a file.
    ///
    /// # Errors
    /// If the folder does not exist or fails a check.
    pub fn of(file: &Path) -> Result<Self, AccessError> {
        // The folder of a name alone is the current one.
        let folder = file.parent().unwrap_or(Path::new("/"));
        Self::check(Walk::begin(folder)?.reach_end(Missing::IsAnError)?)
    }

    /// Opens and checks a folder for files of this host alone, in which no other user can even
    /// create a file.
    ///
    /// # Errors
    /// If the folder does not exist and is not to be made, or if it fails a check.
    pub fn private(path: &Path, missing: Missing) -> Result<Self, AccessError> {
        let folder = Walk::begin(path)?.reach_end(missing)?;
        owner::check(&folder, &fstat(&folder)?, Place::PrivateFolder)?;
        Ok(Self(folder))
    }

    pub(crate) fn check(folder: OwnedFd) -> Result<Self, AccessError> {
        owner::check(&folder, &fstat(&folder)?, Place::Folder)?;
        Ok(Self(folder))
    }

    /// Opens and checks a file of this folder, of which at most `cap` bytes can be read. The file
    /// may not be a link.
    ///
    /// # Errors
    /// If the file does not exist or fails a check.
    pub fn open(&self, name: &OsStr, cap: u64) -> Result<CheckedFile, AccessError> {
        let found = openat(&self.0, name, LOOK, Mode::empty())?;
        let stat = fstat(&found)?;
        require_file(FileType::from_raw_mode(stat.st_mode))?;
        owner::check(&found, &stat, Place::File)?;
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        if size > cap {
            return Err(AccessError::TooLarge { size, cap });
        }
        // This opens the file behind the checked descriptor. The name could be another file by now.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = openat(CWD, path_of(&found), flags, Mode::empty())?;
        Ok(CheckedFile::new(File::from(file), cap))
    }
}

/// Returns a path that leads to an open file, even if the file was renamed or removed.
pub(crate) fn path_of(descriptor: &impl AsFd) -> String {
    format!("/proc/self/fd/{}", descriptor.as_fd().as_raw_fd())
}
