//! Whose a file is, what it is, and who else could change it: asked before a byte is read.
//!
//! Refused are links, devices, pipes, sockets and folders, files of strangers, and
//! files that strangers can write or that lie where strangers can put others in
//! their place. Strangers are all users but root and the one that the host runs as.
//!
//! * A file or folder that everybody can write is refused. A folder with the sticky
//!   bit, such as `/tmp`, is not: nobody can replace another's file in it.
//! * One that its group can write is refused, unless nobody but root and the host's
//!   user is in that group: that is how files come about where `umask 002` is usual.
//!
//! Each check looks at an open descriptor, and what was checked is what is read:
//! exchanging names in between changes nothing.
//!
//! Not checked are the folders above the file's own. Who can rename one of those can
//! bring another folder in its place, but only with files that root or the host's
//! user own.

use std::{
    ffi::OsStr,
    fmt,
    fs::File,
    io::{ErrorKind, Read},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat},
    io::Errno,
};

use super::Refusal;

mod group;
mod owner;

use owner::check;

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The file itself.
    File,
    /// The folder that it lies in.
    Folder,
}

impl fmt::Display for Place {
    /// The beginning of a sentence about the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "",
            Self::Folder => "lies in a folder that ",
        })
    }
}

/// An open folder whose entries no stranger can change.
#[derive(Debug)]
pub(crate) struct Folder(OwnedFd);

impl Folder {
    /// Opens the folder that a file lies in.
    pub(crate) fn of(file: &Path) -> Result<Self, Refusal> {
        let path = match file.parent() {
            Some(path) if !path.as_os_str().is_empty() => path,
            _ => Path::new("."),
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(CWD, path, flags, Mode::empty()).map_err(unreadable)?;
        check(&folder, &stat(&folder)?, Place::Folder)?;
        Ok(Self(folder))
    }

    /// Opens a file of this folder that may be read, up to `cap` bytes of it.
    pub(crate) fn open(&self, name: &OsStr, cap: u64) -> Result<Source, Refusal> {
        // This looks without opening: opening a device or a pipe may do something.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = openat(&self.0, name, flags, Mode::empty()).map_err(unreadable)?;
        let stat = stat(&found)?;
        is_file(FileType::from_raw_mode(stat.st_mode))?;
        check(&found, &stat, Place::File)?;
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        if size > cap {
            return Err(Refusal::TooLarge { size, cap });
        }
        // The descriptor that was looked at, now for reading: not the name once more.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = openat(CWD, path_of(&found), flags, Mode::empty()).map_err(unreadable)?;
        Ok(Source { file: File::from(file), read: 0, cap })
    }
}

/// A file that may be read.
#[derive(Debug)]
pub(crate) struct Source {
    file: File,
    read: u64,
    cap: u64,
}

impl Source {
    /// The next piece of it; an empty one is the end.
    pub(crate) fn next<'b>(&mut self, buffer: &'b mut [u8]) -> Result<&'b [u8], Refusal> {
        let read = loop {
            match self.file.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read.map_err(Refusal::Unreadable)?,
            }
        };
        self.read += read as u64;
        // It may grow while it is read: the cap holds for what is read.
        if self.read > self.cap {
            return Err(Refusal::TooLarge { size: self.read, cap: self.cap });
        }
        Ok(&buffer[..read])
    }

    /// All of it.
    pub(crate) fn whole(mut self) -> Result<Vec<u8>, Refusal> {
        let (mut whole, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            match self.next(&mut buffer)? {
                [] => return Ok(whole),
                piece => whole.extend_from_slice(piece),
            }
        }
    }
}

/// Reads a text that may be read, up to `cap` bytes. It may be a link: an operator's tools
/// make them. Then the link's folder has to be safe as well as that of what it leads to.
pub fn read_text(path: &Path, cap: u64) -> Result<String, Refusal> {
    Folder::of(path)?;
    let path = std::fs::canonicalize(path).map_err(|error| {
        let is_missing = error.kind() == ErrorKind::NotFound;
        if is_missing { Refusal::Missing } else { Refusal::Unreadable(error) }
    })?;
    let text = String::from_utf8(open(&path, cap)?.whole()?);
    text.map_err(|error| Refusal::Unreadable(std::io::Error::other(error)))
}

/// Opens a file that may be read, up to `cap` bytes of it.
pub(crate) fn open(path: &Path, cap: u64) -> Result<Source, Refusal> {
    let name = path.file_name().ok_or(Refusal::NotAFile("a folder"))?;
    Folder::of(path)?.open(name, cap)
}

fn stat(descriptor: &impl AsFd) -> Result<Stat, Refusal> {
    fstat(descriptor).map_err(unreadable)
}

/// A path to what is open, whatever its names have become.
fn path_of(descriptor: &impl AsFd) -> String {
    format!("/proc/self/fd/{}", descriptor.as_fd().as_raw_fd())
}

fn is_file(kind: FileType) -> Result<(), Refusal> {
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
