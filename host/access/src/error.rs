//! Why a file or folder is not used.

use std::{
    fmt,
    io::{self, ErrorKind},
    path::Path,
};

use rustix::io::Errno;

use crate::{Lack, named};

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The file itself.
    File,
    /// The folder that contains the file.
    Folder,
    /// A folder that was asked for as such.
    PrivateFolder,
}

impl fmt::Display for Place {
    /// Formats the words between the name of the file and the rest of the sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File | Self::PrivateFolder => "",
            Self::Folder => "lies in a folder that ",
        })
    }
}

/// Why a file or folder is not used. The text is the predicate of a sentence about it.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The file does not exist.
    #[error("there is no such file")]
    Missing,
    /// The operating system did not let the file be used.
    #[error("cannot be read ({0})")]
    Unreadable(#[source] io::Error),
    /// The file is a symbolic link.
    #[error("is a symbolic link")]
    Link,
    /// A symbolic link on the way to the file belongs to another user.
    #[error(
        "lies behind a symbolic link of user {owner}, who is neither root nor the host's user {host}"
    )]
    ForeignLink {
        /// The owner of the link.
        owner: u32,
        /// The user that the host runs as.
        host: u32,
    },
    /// The path is a folder, a device, a pipe or a socket.
    #[error("is not a regular file but {0}")]
    NotAFile(&'static str),
    /// A user other than root and the host's user can change or replace the file.
    #[error("{place}can be written by others (mode {mode:04o}, group {group})")]
    WritableByOthers {
        /// Whether the file or its folder can be written.
        place: Place,
        /// The permission bits of the file or folder.
        mode: u32,
        /// The group of the file or folder.
        group: u32,
    },
    /// A user other than root and the host's user owns the file.
    #[error("{place}belongs to user {owner}, who is neither root nor the host's user {host}")]
    ForeignOwner {
        /// Whether the user owns the file or its folder.
        place: Place,
        /// The owner of the file or folder.
        owner: u32,
        /// The user that the host runs as.
        host: u32,
    },
    /// The file is larger than the cap.
    #[error("has {size} bytes, more than the cap of {cap}")]
    TooLarge {
        /// The size of the file in bytes.
        size: u64,
        /// The largest size that is allowed, in bytes.
        cap: u64,
    },
}

impl AccessError {
    /// Returns what an operator can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Missing => "check the path",
            Self::Unreadable(error) if error.kind() == ErrorKind::InvalidData => "save it as UTF-8",
            Self::Unreadable(error) => {
                Lack::of(error).map_or("check the path and its permissions", Lack::remedy)
            }
            Self::Link => "put a copy of the file there instead",
            Self::ForeignLink { .. } => "see who made the link, and give the path without it",
            Self::NotAFile(_) => "give the path of a text file",
            Self::WritableByOthers { place: Place::File, .. } => {
                "see what changed it, then take that right away: `chmod go-w` the file"
            }
            Self::WritableByOthers { place: Place::Folder | Place::PrivateFolder, .. } => {
                "see who put it there, then take that right away: `chmod go-w` the folder"
            }
            Self::ForeignOwner { .. } => {
                "see who put it there, then `chown` it to root or the host's user"
            }
            Self::TooLarge { .. } => "check that the path leads to the text file that is meant",
        }
    }
}

impl AccessError {
    /// Returns a sentence about a file that the host writes by itself and that nobody else needs.
    pub fn of_own_file(&self, path: &Path) -> String {
        format!("{} {self}; see who put it there, and remove it", path.display())
    }

    /// Returns `true` if another user can change the file, or put another one in its place.
    pub fn is_exposure(&self) -> bool {
        matches!(
            self,
            Self::ForeignLink { .. } | Self::ForeignOwner { .. } | Self::WritableByOthers { .. }
        )
    }

    /// Returns `true` if the file or folder was refused by a check. Otherwise it does not exist, or
    /// the operating system refused it.
    pub fn is_by_check(&self) -> bool {
        !matches!(self, Self::Missing | Self::Unreadable(_))
    }
}

impl From<Errno> for AccessError {
    fn from(error: Errno) -> Self {
        match error {
            Errno::NOENT | Errno::NOTDIR => Self::Missing,
            // What was opened without following links is one.
            Errno::LOOP => Self::Link,
            // A folder can't be opened to be written.
            Errno::ISDIR => Self::NotAFile("a folder"),
            error => Self::Unreadable(named(error.into())),
        }
    }
}

impl From<AccessError> for io::Error {
    /// Keeps the kind of a missing file; what fails a check is `PermissionDenied`. The text has the
    /// remedy as well.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are refusals by a check")]
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Unreadable(error) => error,
            AccessError::Missing => ErrorKind::NotFound.into(),
            refused => {
                let text = format!("it {refused}; {}", refused.remedy());
                Self::new(ErrorKind::PermissionDenied, text)
            }
        }
    }
}
