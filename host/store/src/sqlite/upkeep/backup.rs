//! Copying the file while it is written.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::Path,
};

use hotbay_access::{AccessError, CheckedFolder};
use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};
use rustix::fs::{RenameFlags, renameat_with};

use crate::store::StoreError;

/// Copies what a connection reads to a new file, which only this user can read. The file has its
/// name once it is complete.
pub(in crate::sqlite) fn backup(db: &Connection, to: &Path) -> Result<(), StoreError> {
    let failed = |reason: String| StoreError::Target { path: to.to_owned(), reason };
    let name = to.file_name().ok_or_else(|| failed("it is a folder".to_owned()))?;
    let folder = CheckedFolder::of(to)
        .map_err(|error| failed(format!("its folder {error}; {}", error.remedy())))?;
    if !matches!(folder.check_entry(name), Err(AccessError::Missing)) {
        return Err(StoreError::Exists(to.to_owned()));
    }
    let mut part = OsString::from(".");
    part.push(name);
    part.push(format!(".{}.part", std::process::id()));
    let written = folder
        .create(&part)
        .map_err(|error| error.to_string())
        .and_then(|_| copy(db, to, &part))
        .and_then(|()| publish(&folder, &part, name).map_err(|error| error.to_string()));
    if let Err(reason) = written {
        // What matters is why the copy failed.
        drop(folder.remove(&part));
        if reason == EXISTS {
            return Err(StoreError::Exists(to.to_owned()));
        }
        return Err(failed(reason));
    }
    Ok(())
}

/// The reason why a name is not given to a file.
const EXISTS: &str = "the name is taken";

fn publish(folder: &CheckedFolder, part: &OsStr, name: &OsStr) -> io::Result<()> {
    match renameat_with(folder, part, folder, name, RenameFlags::NOREPLACE) {
        Err(rustix::io::Errno::EXIST) => return Err(io::Error::other(EXISTS)),
        renamed => renamed?,
    }
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
