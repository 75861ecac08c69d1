//! The file, which nobody else can change, and its connections.

use std::{
    fs::{File, TryLockError},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use hotbay_access::{AccessError, CheckedFolder, Missing};
use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{AtFlags, fstat, statat};

use super::{OpenError, failure::failure, schema};
use crate::store::{Failure, StoreError};

/// The name of the file in the state folder.
pub(super) const NAME: &str = "hotbay.db";
/// What is to be merged into the file.
const WAL: &str = "hotbay.db-wal";
/// An index of that, shared by all who have the file open.
const SHARED_MEMORY: &str = "hotbay.db-shm";
/// The file that the host in charge locks.
const LOCK: &str = "store.lock";

/// How many statements a connection keeps prepared.
const PREPARED: usize = 64;
/// For how long a connection waits for a lock of another process, in milliseconds.
const WAIT_FOR_LOCK_MS: u32 = 2_000;
/// The number of pages of 4 KiB after which what was written is merged into the file.
const PAGES_TO_MERGE: u32 = 4_000;
/// The size to which what is to be merged is truncated afterwards, in bytes.
const WAL_BYTES_KEPT: u32 = 64 << 20;

/// The file of a store.
#[derive(Debug)]
pub(super) struct StoreFile {
    folder: CheckedFolder,
    /// The path without links.
    path: PathBuf,
    /// The file and what is to be merged into it, as they were when the writer opened them.
    opened: Mutex<[Option<Identity>; 2]>,
}

/// Identifies a file whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    number: u64,
}

impl StoreFile {
    /// Finds the file in a folder, and creates it empty if it is missing.
    pub(super) fn in_folder(path: &Path) -> Result<Self, OpenError> {
        let file = Self::find(path, Missing::IsMade)?;
        match file.folder.create(NAME.as_ref()) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(OpenError::Unavailable { path: file.path, failure: Failure::of(&error) })
            }
            Ok(_) | Err(_) => Ok(file),
        }
    }

    /// Finds the place of the file in a folder, and checks what is there.
    pub(super) fn find(path: &Path, missing: Missing) -> Result<Self, OpenError> {
        let refused = |error: AccessError| OpenError::Folder { path: path.to_owned(), error };
        let io = |error: io::Error| refused(AccessError::Unreadable(error));
        let folder = CheckedFolder::private(path, missing).map_err(refused)?;
        // SQLite opens files by their paths, and is told to follow no links.
        let real = path.canonicalize().map_err(io)?;
        let (opened, named) = (fstat(&folder), real.metadata().map_err(io)?);
        let opened = opened.map_err(|error| io(error.into()))?;
        if (opened.st_dev, opened.st_ino) != (named.dev(), named.ino()) {
            return Err(io(io::Error::other("it was replaced while it was opened")));
        }
        let file = Self { folder, path: real.join(NAME), opened: Mutex::default() };
        for name in [NAME, WAL, SHARED_MEMORY] {
            // A descriptor of the file that is closed would take the locks of SQLite with it, so
            // it is not opened to be checked.
            match file.folder.check_entry(name.as_ref()) {
                Ok(()) | Err(AccessError::Missing) => {}
                Err(error) => {
                    return Err(OpenError::File { path: file.path.with_file_name(name), error });
                }
            }
        }
        Ok(file)
    }

    /// Tells if there is a file.
    pub(super) fn exists(&self) -> bool {
        statat(&self.folder, NAME, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the file.
    pub(super) fn folder(&self) -> &CheckedFolder {
        &self.folder
    }

    /// Returns the size of what is to be merged into the file, in bytes.
    pub(super) fn wal_bytes(&self) -> u64 {
        let stat = statat(&self.folder, WAL, AtFlags::SYMLINK_NOFOLLOW);
        stat.map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or_default())
    }

    /// Opens a connection.
    pub(super) fn connect(&self) -> rusqlite::Result<Connection> {
        // The lock within SQLite is not needed: no connection is used by two threads at once.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NOFOLLOW
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&self.path, flags)?;
        db.busy_timeout(std::time::Duration::from_millis(WAIT_FOR_LOCK_MS.into()))?;
        db.set_prepared_statement_cache_capacity(PREPARED);
        Ok(db)
    }

    /// Opens the connection of the writer.
    pub(super) fn connect_to_write(&self) -> rusqlite::Result<Connection> {
        let db = self.connect()?;
        schema::set_wal(&db)?;
        db.execute_batch(&format!(
            "PRAGMA synchronous = FULL;
             PRAGMA wal_autocheckpoint = {PAGES_TO_MERGE};
             PRAGMA journal_size_limit = {WAL_BYTES_KEPT};
             PRAGMA cache_size = -32768;
             PRAGMA temp_store = MEMORY;"
        ))?;
        // This opens what is to be merged as well.
        db.query_row("SELECT count(*) FROM epochs", [], |_| Ok(()))?;
        *self.opened.lock() = self.identities();
        Ok(db)
    }

    /// Opens a connection that can't write.
    pub(super) fn connect_to_read(&self) -> rusqlite::Result<Connection> {
        let db = self.connect()?;
        db.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -4096;")?;
        Ok(db)
    }

    fn identities(&self) -> [Option<Identity>; 2] {
        [NAME, WAL].map(|name| {
            let stat = statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
            Some(Identity { device: stat.st_dev, number: stat.st_ino })
        })
    }

    /// Checks that the files that the writer has open are still the ones of these names. What is
    /// written to a file without a name is lost with the process, and no write tells so.
    pub(super) fn check_in_place(&self) -> Result<(), Failure> {
        let opened = *self.opened.lock();
        let found = self.identities();
        let is_same = |index: usize| opened[index].is_none() || opened[index] == found[index];
        if is_same(0) && is_same(1) { Ok(()) } else { Err(Failure::Removed) }
    }

    /// Notes that the writer has closed its connection: the last one that is closed removes what
    /// was merged.
    pub(super) fn closed(&self) {
        self.opened.lock()[1] = None;
    }

    /// Locks the store for this process. Returns `None` if another one has locked it.
    pub(super) fn lock(&self) -> Result<Option<File>, Failure> {
        let refused = |error: AccessError| match error.is_by_check() {
            true => Failure::Other(error.of_own_file(&self.path.with_file_name(LOCK))),
            false => Failure::of(&error.into()),
        };
        let lock = self.folder.open_to_write(LOCK.as_ref()).map_err(refused)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(Failure::of(&error)),
        }
    }

    /// The error of a store that can't be used.
    pub(super) fn unavailable(&self, failure: Failure) -> StoreError {
        StoreError::Unavailable { path: self.path.clone(), failure }
    }

    /// The error of a store that can't be opened.
    pub(super) fn not_opened(&self, error: &rusqlite::Error) -> OpenError {
        let path = self.path.clone();
        let failure = failure(error);
        if let Failure::Damaged(reason) = failure {
            return OpenError::Damaged { path, reason };
        }
        OpenError::Unavailable { path, failure }
    }
}
