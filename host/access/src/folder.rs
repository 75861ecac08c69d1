//! Open folders whose entries no other user can change.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, openat, renameat, unlinkat},
    io::Errno,
};

use crate::{
    AccessError, CheckedFile, Place,
    file::require_file,
    lack::named_in_proc,
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

    /// Follows the links at the end of a path. Returns the folder that contains the file to which
    /// they lead, and the name of that file, which need not exist. Each link and its folder are
    /// checked.
    ///
    /// # Errors
    /// If the path leads to a folder, or if a link or a folder fails a check.
    pub fn behind_links(path: &Path) -> Result<(Self, OsString), AccessError> {
        let mut walk = Walk::begin(path)?;
        loop {
            let Some(name) = walk.reach_last()? else {
                return Err(AccessError::NotAFile("a folder"));
            };
            let folder = Self::check(walk.at.try_clone().map_err(AccessError::Unreadable)?)?;
            let found = match openat(&folder, &name, LOOK, Mode::empty()) {
                Err(Errno::NOENT) => return Ok((folder, name)),
                found => found?,
            };
            let stat = fstat(&found)?;
            if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
                return Ok((folder, name));
            }
            walk.follow(&found, &stat)?;
        }
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

    /// Checks a folder and every folder on the way to it, so that no other user can put files there,
    /// neither now nor by exchanging a folder. A folder that does not exist is fine if nobody else
    /// can make it.
    ///
    /// # Errors
    /// If one of these folders fails a check.
    pub fn check_way(path: &Path) -> Result<(), AccessError> {
        let path = std::path::absolute(path).map_err(AccessError::Unreadable)?;
        let mut walk = Walk::begin(&path)?;
        loop {
            match walk.step(Missing::IsAnError) {
                Ok(true) => owner::check(&walk.at, &fstat(&walk.at)?, Place::Folder)?,
                Ok(false) | Err(AccessError::Missing) => break,
                Err(refusal) => return Err(refusal),
            }
        }
        owner::check(&walk.at, &fstat(&walk.at)?, Place::PrivateFolder)
    }

    pub(crate) fn check(folder: OwnedFd) -> Result<Self, AccessError> {
        owner::check(&folder, &fstat(&folder)?, Place::Folder)?;
        Ok(Self(folder))
    }

    /// Checks a file of this folder without opening it. The file may not be a link.
    ///
    /// # Errors
    /// If the file does not exist or fails a check.
    pub fn check_entry(&self, name: &OsStr) -> Result<(), AccessError> {
        self.look_up(name).map(drop)
    }

    /// Finds and checks a file of this folder, as a descriptor that can't be read.
    fn look_up(&self, name: &OsStr) -> Result<(OwnedFd, Stat), AccessError> {
        checked_file(openat(&self.0, name, LOOK, Mode::empty())?)
    }

    /// Opens and checks a file of this folder, of which at most `cap` bytes can be read. The file
    /// may not be a link.
    ///
    /// # Errors
    /// If the file does not exist or fails a check.
    pub fn open(&self, name: &OsStr, cap: u64) -> Result<CheckedFile, AccessError> {
        let (found, stat) = self.look_up(name)?;
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        if size > cap {
            return Err(AccessError::TooLarge { size, cap });
        }
        // This opens the file behind the checked descriptor. The name could be another file by now.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = openat(CWD, path_of(&found), flags, Mode::empty())
            // The file itself is open by now, so what is not found is `/proc`.
            .map_err(|error| AccessError::Unreadable(named_in_proc(error.into())))?;
        Ok(CheckedFile::new(File::from(file), cap))
    }
}

/// The files of a folder, which other users can neither create nor change.
impl CheckedFolder {
    /// Opens a file of this folder to read and write it. A missing file is created, for this user
    /// alone.
    ///
    /// # Errors
    /// If the file cannot be created or fails a check. A link is refused, and its target is not
    /// touched.
    pub fn open_to_write(&self, name: &OsStr) -> Result<File, AccessError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // Opening a pipe could block for ever, and opening a terminal could make it this process's.
        let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY;
        let (file, _) = checked_file(openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR)?)?;
        Ok(File::from(file))
    }

    /// Creates a file to write it.
    ///
    /// # Errors
    /// If the name is taken, or the folder cannot be written.
    pub fn create(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        Ok(File::from(openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR)?))
    }

    /// Renames a file of this folder. A file that has the new name already is replaced.
    ///
    /// # Errors
    /// If there is no such file, or the folder cannot be written.
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(renameat(&self.0, from, &self.0, to)?)
    }

    /// Removes a file of this folder.
    ///
    /// # Errors
    /// If there is no such file, or the folder cannot be written.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Opens the folder itself, to lock it or to have changes of its entries written to the disk.
    ///
    /// # Errors
    /// If this user cannot read the folder.
    pub fn file(&self) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(File::from(openat(&self.0, ".", flags, Mode::empty())?))
    }
}

impl AsFd for CheckedFolder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Checks that a descriptor is one of a file that no other user can change.
fn checked_file(file: OwnedFd) -> Result<(OwnedFd, Stat), AccessError> {
    let stat = fstat(&file)?;
    require_file(FileType::from_raw_mode(stat.st_mode))?;
    owner::check(&file, &stat, Place::File)?;
    Ok((file, stat))
}

/// Returns a path that leads to an open file, even if the file was renamed or removed.
pub(crate) fn path_of(descriptor: &impl AsFd) -> String {
    format!("/proc/self/fd/{}", descriptor.as_fd().as_raw_fd())
}
