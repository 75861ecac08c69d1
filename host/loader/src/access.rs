//! Checks the type, the owner and the permissions of a file before a byte of it is read.
//!
//! Links, devices, pipes, sockets and folders are refused. So are files that another user owns, can
//! write, or can replace because of the permissions of their folder. "Another user" is every user
//! but root and the user that the host runs as.
//!
//! * A file or folder that everybody can write is refused. A folder with the sticky bit, such as
//!   `/tmp`, is accepted: nobody can replace another user's file in it.
//! * A file or folder that its group can write is refused, unless root and the host's user are the
//!   only members of that group. Such files are usual where the umask is 002.
//!
//! Each check is made on an open descriptor, and the same descriptor is read afterwards, so
//! renaming files in between changes nothing.
//!
//! The folders above the file's folder are not checked. A user who can rename one of them can put
//! another folder in its place, but only with files that root or the host's user own.

use std::{
    ffi::OsStr,
    fmt,
    fs::File,
    io::{ErrorKind, Read},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::Path,
};

use hotbay_store::durable;
use rustix::{
    fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat},
    io::Errno,
};

use crate::Refusal;

mod group;
mod owner;

use owner::check;

/// Whether a refusal is about a file or about its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The file itself.
    File,
    /// The folder that contains the file.
    Folder,
}

impl fmt::Display for Place {
    /// Formats the words between the name of the file and the rest of the sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "",
            Self::Folder => "lies in a folder that ",
        })
    }
}

/// An open folder whose entries no other user can change.
#[derive(Debug)]
pub(crate) struct CheckedFolder(OwnedFd);

impl CheckedFolder {
    /// Opens and checks the folder that contains a file.
    pub(crate) fn of(file: &Path) -> Result<Self, Refusal> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let path = durable::folder_of(file);
        let folder = openat(CWD, path, flags, Mode::empty()).map_err(unreadable)?;
        check(&folder, &stat(&folder)?, Place::Folder)?;
        Ok(Self(folder))
    }

    /// Opens and checks a file of this folder, of which at most `cap` bytes can be read.
    pub(crate) fn open(&self, name: &OsStr, cap: u64) -> Result<CheckedFile, Refusal> {
        // `O_PATH` does not really open the file: opening a device or a pipe can have effects.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = openat(&self.0, name, flags, Mode::empty()).map_err(unreadable)?;
        let stat = stat(&found)?;
        require_file(FileType::from_raw_mode(stat.st_mode))?;
        check(&found, &stat, Place::File)?;
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        if size > cap {
            return Err(Refusal::TooLarge { size, cap });
        }
        // This opens the file behind the checked descriptor. The name could be another file by now.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = openat(CWD, path_of(&found), flags, Mode::empty()).map_err(unreadable)?;
        Ok(CheckedFile { file: File::from(file), read: 0, cap })
    }
}

/// An open file that passed the checks.
#[derive(Debug)]
pub(crate) struct CheckedFile {
    file: File,
    read: u64,
    cap: u64,
}

impl CheckedFile {
    /// Reads the next piece of the file into the buffer. An empty piece is the end of the file.
    pub(crate) fn next<'b>(&mut self, buffer: &'b mut [u8]) -> Result<&'b [u8], Refusal> {
        let read = loop {
            match self.file.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read.map_err(Refusal::Unreadable)?,
            }
        };
        self.read += read as u64;
        // The file may grow while it is read, so the cap is applied to what was read.
        if self.read > self.cap {
            return Err(Refusal::TooLarge { size: self.read, cap: self.cap });
        }
        Ok(&buffer[..read])
    }

    /// Reads the whole file.
    pub(crate) fn read_to_end(mut self) -> Result<Vec<u8>, Refusal> {
        let (mut content, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            match self.next(&mut buffer)? {
                [] => return Ok(content),
                piece => content.extend_from_slice(piece),
            }
        }
    }
}

/// Reads a text file of at most `cap` bytes after the same checks that a plugin must pass.
///
/// The path may be a symbolic link, because tools of operators create them. The folder of the link
/// is then checked as well as the folder of the file.
///
/// # Errors
/// If the file does not exist, fails a check, or is not UTF-8 text. The remedy is
/// [`Refusal::remedy_of_text`].
pub fn read_text(path: &Path, cap: u64) -> Result<String, Refusal> {
    CheckedFolder::of(path)?;
    let path = std::fs::canonicalize(path).map_err(|error| {
        let is_missing = error.kind() == ErrorKind::NotFound;
        if is_missing { Refusal::Missing } else { Refusal::Unreadable(error) }
    })?;
    let text = String::from_utf8(open(&path, cap)?.read_to_end()?);
    text.map_err(|error| Refusal::Unreadable(std::io::Error::new(ErrorKind::InvalidData, error)))
}

/// Opens and checks a file, of which at most `cap` bytes can be read.
pub(crate) fn open(path: &Path, cap: u64) -> Result<CheckedFile, Refusal> {
    let name = path.file_name().ok_or(Refusal::NotAFile("a folder"))?;
    CheckedFolder::of(path)?.open(name, cap)
}

fn stat(descriptor: &impl AsFd) -> Result<Stat, Refusal> {
    fstat(descriptor).map_err(unreadable)
}

/// Returns a path that leads to an open file, even if the file was renamed or removed.
fn path_of(descriptor: &impl AsFd) -> String {
    format!("/proc/self/fd/{}", descriptor.as_fd().as_raw_fd())
}

fn require_file(kind: FileType) -> Result<(), Refusal> {
    Err(match kind {
        FileType::RegularFile => return Ok(()),
        FileType::Symlink => Refusal::Link,
        FileType::Directory => Refusal::NotAFile("a folder"),
        FileType::Fifo => Refusal::NotAFile("a named pipe"),
        FileType::Socket => Refusal::NotAFile("a socket"),
        FileType::CharacterDevice | FileType::BlockDevice => Refusal::NotAFile("a device"),
        FileType::Unknown => Refusal::NotAFile("something else"),
    })
}

fn unreadable(error: Errno) -> Refusal {
    match error {
        Errno::NOENT | Errno::NOTDIR => Refusal::Missing,
        error => Refusal::Unreadable(error.into()),
    }
}

#[cfg(test)]
mod tests;
