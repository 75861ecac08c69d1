//! Why a store is not opened.

use std::path::{Path, PathBuf};

use hotbay_access::AccessError;

use crate::store::{DAMAGE_REMEDY, Failure};

/// Why a store is not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder can't be used.
    #[error("the state folder {} {error}; {}", path.display(), error.remedy())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why it can't be used.
        error: AccessError,
    },
    /// The file could have been written by another user.
    #[error("the store {}", refused(path, error))]
    File {
        /// The file.
        path: PathBuf,
        /// Why it can't be used.
        error: AccessError,
    },
    /// A newer version of the program has written the file.
    #[error(
        "the store {} has version {found}, and this program knows versions up to {ours}; start the \
         newer program, or remove the store with its `-wal` and `-shm` and put a backup of before \
         its installation in its place, or name another state folder under `state_folder`",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version that this program knows.
        ours: u32,
    },
    /// Another program has written the file.
    #[error(
        "{} is no store of this program; move it away, or name another state folder under \
         `state_folder`",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error("the store {} is damaged ({reason}); {}", path.display(), DAMAGE_REMEDY)]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// Another process makes the file, or uses an older version of it.
    #[error(
        "another host makes the store {}, or runs with an older version of it; stop it first",
        path.display()
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file can't be used now.
    #[error("the store {} can't be used: {failure}", path.display())]
    Unavailable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        failure: Failure,
    },
    /// The library that manages the file is one that can damage it.
    #[error("this program was built with SQLite {found}, which can damage files; 3.51.3 is needed")]
    Library {
        /// The version of the library.
        found: &'static str,
    },
}

/// Returns a sentence about a file that is not used. What is no file at all is not the store of
/// anybody, so it may be removed.
fn refused(path: &Path, error: &AccessError) -> String {
    if matches!(error, AccessError::NotAFile(_)) {
        return error.of_own_file(path);
    }
    format!("{} {error}; {}", path.display(), error.remedy())
}
