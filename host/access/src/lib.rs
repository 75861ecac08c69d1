//! Opens only those files and folders that no other user can change.
//!
//! Everything that a host acts upon is opened here: plugins and what lies beside them, the
//! configuration, pins and keys, and the files of the state folder. Links, devices, pipes, sockets
//! and folders are no files. Refused are also files that another user owns, can write, or can
//! replace because of the permissions of their folder. "Another user" is every user but root and
//! the user that the host runs as.
//!
//! * A file or folder that everybody can write is refused. A folder with the sticky bit, such as
//!   `/tmp`, is accepted: nobody can replace another user's file in it. A folder that is to be
//!   [private](CheckedFolder::private) is refused even then.
//! * A file or folder that its group can write is refused, unless root and the host's user are the
//!   only members of that group. Such files are usual where the umask is 002.
//! * A symbolic link of another user is not followed, wherever on the way it lies. A plugin may not
//!   be a link at all; [`read_text`] follows the links of root and of the host's user.
//!
//! Each check is made on an open descriptor, and the same descriptor is read afterwards, so
//! renaming files in between changes nothing.
//!
//! The owners of the folders above the file's folder are not checked. A user who can rename one of
//! them can put another folder in its place, but only with files that root or the host's user own.

#![forbid(unsafe_code)]

mod error;
mod file;
mod folder;
mod group;
mod lack;
mod owner;
mod text;
mod walk;

pub use error::{AccessError, Place};
pub use file::CheckedFile;
pub use folder::{CheckedFolder, Missing};
pub use lack::{Lack, named, named_in_proc};
pub use text::{open, open_behind_links, read_text};

#[cfg(test)]
mod tests;
