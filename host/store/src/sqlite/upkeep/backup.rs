//! Copying the file while it is written.

use std::{
    ffi::OsStr,
    io::{self, ErrorKind},
    path::Path,
};

use hotbay_access::{AccessError, CheckedFolder};
use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};
use rustix::fs::{RenameFlags, renameat_with};

use crate::{durable, store::StoreError};

/// Copies what a connection reads to a new file, which only this user can read. The file has its
/// name once it is complete.
pub(in crate::sqlite) fn backup(db: &Connection, to: &Path) -> Result<(), StoreError> {
    let failed = |reason: String| StoreError::Target { path: to.to_owned(), reason };
    let name =
        to.file_name().ok_or_else(|| failed("it is a folder; name a file in it".to_owned()))?;
    let folder =
        CheckedFolder::of(to).map_err(|error| match matches!(error, AccessError::Missing) {
            true => failed("its folder is not there; check the path".to_owned()),
            false => failed(format!("it {error}; {}", error.remedy())),
        })?;
    if !matches!(folder.check_entry(name), Err(AccessError::Missing)) {
        return Err(StoreError::Exists(to.to_owned()));
    }
    let (part, _) =
        durable::create_beside(&folder, name).map_err(|error| failed(error.to_string()))?;
    let written = copy(db, to, &part).map_err(failed).and_then(|()| {
        publish(&folder, &part, name).map_err(|error| {
            if error.kind() == ErrorKind::AlreadyExists {
                return StoreError::Exists(to.to_owned());
            }
            failed(error.to_string())
        })
    });
    if written.is_err() {
        // What matters is why the copy failed.
        drop(folder.remove(&part));
    }
    written
}

/// Gives the complete copy its name, which no file may have.
fn publish(folder: &CheckedFolder, part: &OsStr, name: &OsStr) -> io::Result<()> {
    renameat_with(folder, part, folder, name, RenameFlags::NOREPLACE)?;
    folder.file()?.sync_all()
}

fn copy(db: &Connection, to: &Path, part: &OsStr) -> Result<(), String> {
    let folder = match to.parent() {
        None => Path::new("/"),
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
    };
    // SQLite follows no links, so the path must have none.
    let path = folder.canonicalize().map_err(|error| error.to_string())?.join(part);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let copied = Connection::open_with_flags(path, flags).and_then(|mut copy| {
        // In one step: a copy of several would begin anew with each write of the host.
        let step = Backup::new(db, &mut copy)?.step(-1)?;
        if step == StepResult::Done {
            // A file that is complete alone, without what is to be merged.
            copy.pragma_update(None, "journal_mode", "DELETE")?;
        }
        Ok(step)
    });
    match copied {
        Ok(StepResult::Done) => Ok(()),
        Ok(_) => Err("the store is locked".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
