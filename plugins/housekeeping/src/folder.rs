//! Folders that are held open, so that nobody can lead a task out of them.
//!
//! A path that is looked up twice may lead to two places, because others may rename folders, or put
//! links in their place, in between. So a [`Folder`] is a descriptor, each name is a single one that
//! is looked up in it, and no link is followed. What others rename meanwhile changes which entries
//! a task finds, but not in which folder it looks for them.
//!
//! Linux cannot remove a file by its descriptor. A file that takes the place of an old one between
//! [`Folder::entry`] and [`Folder::remove_file`] is removed in its stead, from the same folder.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat},
    io::Errno,
};

/// How many folders may lie in one another. Each level holds a descriptor.
const MAX_DEPTH: usize = 200;

/// An error that is returned if something can't be done with a file or folder.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub(crate) struct FolderError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl FolderError {
    pub(crate) fn new(action: &'static str, path: PathBuf, source: impl Into<io::Error>) -> Self {
        Self { action, path, source: source.into() }
    }
}

/// A folder that is held open.
#[derive(Debug)]
pub(crate) struct Folder {
    descriptor: OwnedFd,
    device: u64,
    depth: usize,
    /// The path by which the folder was reached, for messages only.
    path: PathBuf,
}

/// An entry of a folder, as it was when it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) bytes: u64,
    /// When the content was last modified: nanoseconds since 1970, UTC.
    pub(crate) modified_ns: i64,
}

/// The kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    Link,
    /// A socket, a pipe or a device.
    Special,
}

impl Entry {
    fn new(stat: &Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Folder,
            FileType::Symlink => Kind::Link,
            FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => Kind::Special,
        };
        let nanoseconds =
            i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec);
        Self {
            kind,
            bytes: u64::try_from(stat.st_size).unwrap_or(0),
            modified_ns: i64::try_from(nanoseconds).unwrap_or(i64::MAX),
        }
    }
}

const FOLDER_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Folder {
    /// Opens a folder that the settings name.
    ///
    /// # Errors
    /// If it is not there, or is no folder. A link to a folder is none.
    pub(crate) fn open(path: &Path) -> Result<Self, FolderError> {
        let failed = |error| FolderError::new("open the folder", path.to_owned(), error);
        let descriptor =
            rustix::fs::openat(CWD, path, FOLDER_FLAGS, Mode::empty()).map_err(|error| {
                match rustix::fs::lstat(path).map(|it| Entry::new(&it).kind) {
                    Ok(Kind::Link) => failed(io::Error::other(
                        "it is a symbolic link, which is not followed; name the folder itself",
                    )),
                    _ => failed(error.into()),
                }
            })?;
        let stat = rustix::fs::fstat(&descriptor).map_err(|error| failed(error.into()))?;
        Ok(Self { descriptor, device: stat.st_dev, depth: 0, path: path.to_owned() })
    }

    /// Returns the path of an entry, for messages.
    pub(crate) fn path_of(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// Returns the names of the entries, in the order of the alphabet.
    ///
    /// # Errors
    /// If the folder can't be read.
    pub(crate) fn names(&self) -> Result<Vec<OsString>, FolderError> {
        let read = || {
            let mut names = Vec::new();
            for entry in Dir::read_from(&self.descriptor)? {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if name != b"." && name != b".." {
                    names.push(OsStr::from_bytes(name).to_owned());
                }
            }
            names.sort_unstable();
            Ok(names)
        };
        read().map_err(|error: Errno| FolderError::new("read", self.path.clone(), error))
    }

    /// Returns an entry, or `None` if it is not there, as when somebody has removed it meanwhile.
    ///
    /// # Errors
    /// If it can't be looked at.
    pub(crate) fn entry(&self, name: &OsStr) -> Result<Option<Entry>, FolderError> {
        match rustix::fs::statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Entry::new(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.failed("look at", name, error)),
        }
    }

    /// Opens a folder in this one. Returns `None` if another file system is mounted there.
    ///
    /// # Errors
    /// If it can't be opened, or is a link by now.
    pub(crate) fn folder(&self, name: &OsStr) -> Result<Option<Self>, FolderError> {
        let failed = |error| self.failed("open the folder", name, error);
        let depth = self.depth + 1;
        if depth > MAX_DEPTH {
            let text = format!("more than {MAX_DEPTH} folders lie in one another");
            return Err(FolderError::new("enter", self.path_of(name), io::Error::other(text)));
        }
        let descriptor = rustix::fs::openat(&self.descriptor, name, FOLDER_FLAGS, Mode::empty())
            .map_err(failed)?;
        let device = rustix::fs::fstat(&descriptor).map_err(failed)?.st_dev;
        let path = self.path_of(name);
        Ok((device == self.device).then_some(Self { descriptor, device, depth, path }))
    }

    /// Makes a folder in this one.
    ///
    /// # Errors
    /// If it can't be made, or something is there already.
    pub(crate) fn make_folder(&self, name: &OsStr) -> Result<(), FolderError> {
        rustix::fs::mkdirat(&self.descriptor, name, Mode::from_raw_mode(0o777))
            .map_err(|error| self.failed("make the folder", name, error))
    }

    /// Opens a file in this folder.
    ///
    /// # Errors
    /// If it can't be opened, or is no regular file.
    pub(crate) fn file(&self, name: &OsStr, access: OFlags) -> Result<File, FolderError> {
        // Without `NONBLOCK`, a pipe that took the file's place would be waited for.
        let flags = access | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let opened = rustix::fs::openat(&self.descriptor, name, flags, Mode::from_raw_mode(0o600));
        let file = File::from(opened.map_err(|error| self.failed("open", name, error))?);
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        let other = || io::Error::other("it is not a regular file");
        if is_file { Ok(file) } else { Err(FolderError::new("open", self.path_of(name), other())) }
    }

    /// Removes an entry that is no folder; of a link, the link itself. Returns `false` if it is not
    /// there any more.
    ///
    /// # Errors
    /// If it can't be removed.
    pub(crate) fn remove_file(&self, name: &OsStr) -> Result<bool, FolderError> {
        match rustix::fs::unlinkat(&self.descriptor, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(self.failed("remove", name, error)),
        }
    }

    /// Removes an empty folder. Returns `false` if it has entries, or is not there any more.
    ///
    /// # Errors
    /// If it can't be removed.
    pub(crate) fn remove_folder(&self, name: &OsStr) -> Result<bool, FolderError> {
        match rustix::fs::unlinkat(&self.descriptor, name, AtFlags::REMOVEDIR) {
            Ok(()) => Ok(true),
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT) => Ok(false),
            Err(error) => Err(self.failed("remove the folder", name, error)),
        }
    }

    /// Gives an entry another name, in one step. What had that name is replaced, unless it is a
    /// folder.
    ///
    /// # Errors
    /// If that is impossible.
    pub(crate) fn rename(&self, from: &OsStr, to: &OsStr) -> Result<(), FolderError> {
        rustix::fs::renameat(&self.descriptor, from, &self.descriptor, to)
            .map_err(|error| self.failed("replace", to, error))
    }

    /// Waits until the names in this folder are on the disk.
    ///
    /// # Errors
    /// If the disk reports one.
    pub(crate) fn sync(&self) -> Result<(), FolderError> {
        rustix::fs::fsync(&self.descriptor)
            .map_err(|error| FolderError::new("write", self.path.clone(), error))
    }

    fn failed(&self, action: &'static str, name: &OsStr, error: Errno) -> FolderError {
        FolderError::new(action, self.path_of(name), error)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_folder_that_was_opened_stays_the_same_whatever_takes_its_name() {
        let root = tempfile::tempdir().unwrap();
        let (cache, outside) = (root.path().join("cache"), root.path().join("outside"));
        fs::create_dir_all(cache.join("inner")).unwrap();
        fs::create_dir(&outside).unwrap();
        for folder in [&cache.join("inner"), &outside] {
            fs::write(folder.join("file"), "").unwrap();
        }
        let inner = Folder::open(&cache).unwrap().folder("inner".as_ref()).unwrap().unwrap();
        fs::rename(cache.join("inner"), cache.join("moved")).unwrap();
        symlink(&outside, cache.join("inner")).unwrap();
        assert!(inner.remove_file("file".as_ref()).unwrap());
        assert!(outside.join("file").exists() && !cache.join("moved/file").exists());
        // Under its name, there is a link now, which is no folder and no file.
        let folder = Folder::open(&cache).unwrap();
        let link: &OsStr = "inner".as_ref();
        drop(folder.folder(link).unwrap_err());
        drop(folder.file(link, OFlags::RDONLY).unwrap_err());
        assert_eq!(folder.entry(link).unwrap().unwrap().kind, Kind::Link);
        let error = Folder::open(&cache.join("inner")).unwrap_err();
        let reason = std::error::Error::source(&error).unwrap().to_string();
        assert!(reason.contains("symbolic link, which is not followed"), "{reason}");
    }

    #[test]
    fn what_others_removed_is_no_error() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path()).unwrap();
        let gone: &OsStr = "gone".as_ref();
        assert_eq!(folder.entry(gone).unwrap(), None);
        assert!(!folder.remove_file(gone).unwrap() && !folder.remove_folder(gone).unwrap());
    }
}
