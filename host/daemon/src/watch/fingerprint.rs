//! What tells one content of a file from another.

use std::{
    fs::Metadata,
    os::unix::fs::MetadataExt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A file at one moment.
///
/// Two are equal if nothing happened to the file in between, not even a change of its mode
/// or owner; whether the content is the same, [`same_content`](Self::same_content) says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    pub(super) stamp: Stamp,
    pub(super) content: Content,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Bytes with this SHA-256, in hexadecimal.
    Sha256(String),
    /// More bytes than are looked at.
    TooLarge {
        /// How many.
        size: u64,
    },
    /// No bytes: a link, a folder, a device, a pipe, a socket. It was not opened.
    NotAFile(&'static str),
    /// It can't be read, and why.
    Unreadable(String),
    /// A library without all its parts, and for so long that nobody seems to be writing it.
    Incomplete(String),
}

impl Fingerprint {
    /// What the file holds.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The SHA-256 of its bytes, in hexadecimal, if it was read.
    pub fn sha256(&self) -> Option<&str> {
        if let Content::Sha256(hash) = &self.content { Some(hash) } else { None }
    }

    /// Whether both hold the same.
    pub fn same_content(&self, other: &Self) -> bool {
        self.content == other.content
    }
}

/// The metadata that change with the content, and with mode and owner.
///
/// Times are only as exact as the system's clock tick. That is enough: a stamp counts after
/// it stood for longer than a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    mode: u32,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            mode: metadata.mode(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// What it is, if not a regular file.
    pub(super) fn other_than_file(&self) -> Option<&'static str> {
        match self.mode & libc::S_IFMT {
            libc::S_IFREG => None,
            libc::S_IFLNK => Some("a symbolic link"),
            libc::S_IFDIR => Some("a folder"),
            libc::S_IFIFO => Some("a pipe"),
            libc::S_IFSOCK => Some("a socket"),
            _ => Some("a device"),
        }
    }

    /// Whether the last change, of whatever kind, is that long ago. A change in the future
    /// is not: the clock was set.
    pub(super) fn is_older_than(&self, age: Duration, now: SystemTime) -> bool {
        let (Ok(seconds), Ok(nanos)) = (self.changed.0.try_into(), self.changed.1.try_into())
        else {
            return false;
        };
        let changed = UNIX_EPOCH + Duration::new(seconds, nanos);
        now.duration_since(changed).is_ok_and(|passed| passed >= age)
    }
}

#[cfg(test)]
impl Stamp {
    /// A regular file, `number` telling it from others.
    pub(super) fn numbered(number: u64, changed: SystemTime) -> Self {
        let changed = changed.duration_since(UNIX_EPOCH).unwrap();
        let changed =
            (i64::try_from(changed.as_secs()).unwrap(), i64::from(changed.subsec_nanos()));
        Self { device: 1, inode: number, mode: libc::S_IFREG, size: 1, modified: (0, 0), changed }
    }
}
