//! Fingerprints of files, which distinguish one content from another.

use std::{
    fs::Metadata,
    os::unix::fs::MetadataExt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The state of a file at one moment.
///
/// Two fingerprints are equal if the file has not changed in between, not even its mode or owner. Use
/// [`same_content`](Self::same_content) to compare only the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    pub(super) stamp: Stamp,
    pub(super) content: Content,
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The SHA-256 of the bytes, in hexadecimal.
    Sha256(String),
    /// The file is larger than the files that are read.
    TooLarge {
        /// The size of the file in bytes.
        size: u64,
    },
    /// Not a regular file but a link, a folder, a device, a pipe or a socket. It was not opened.
    NotAFile(&'static str),
    /// The file can't be read, for this reason.
    Unreadable(String),
    /// The library lacks a part, and has not changed for so long that it is not being written.
    Incomplete(String),
}

impl Fingerprint {
    /// Returns the content of the file.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Returns the SHA-256 of the file, in hexadecimal, if it was read.
    pub fn sha256(&self) -> Option<&str> {
        if let Content::Sha256(hash) = &self.content { Some(hash) } else { None }
    }

    /// Returns `true` if both have the same content.
    pub fn same_content(&self, other: &Self) -> bool {
        self.content == other.content
    }
}

/// The metadata that change with the content, the mode or the owner of a file.
///
/// Times are only as precise as the system's clock tick. That is enough, because a stamp has to stay
/// unchanged for longer than a tick before it counts.
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

    /// Returns the type of the file, if it is not a regular file.
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

    /// Returns `true` if the last change of any kind is older than `age`. A change in the future, after
    /// the clock was set back, is not.
    pub(super) fn is_older_than(&self, age: Duration, now: SystemTime) -> bool {
        let (Ok(seconds), Ok(nanos)) = (self.changed.0.try_into(), self.changed.1.try_into())
        else {
            return false;
        };
        let changed = UNIX_EPOCH.checked_add(Duration::new(seconds, nanos));
        let passed = changed.and_then(|changed| now.duration_since(changed).ok());
        passed.is_some_and(|passed| passed >= age)
    }
}

#[cfg(test)]
impl Stamp {
    /// Makes the stamp of a regular file that differs by `number`.
    pub(super) fn numbered(number: u64, changed: SystemTime) -> Self {
        let changed = changed.duration_since(UNIX_EPOCH).unwrap();
        let changed =
            (i64::try_from(changed.as_secs()).unwrap(), i64::from(changed.subsec_nanos()));
        Self { device: 1, inode: number, mode: libc::S_IFREG, size: 1, modified: (0, 0), changed }
    }
}
