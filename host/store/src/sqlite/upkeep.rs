//! Keeping the file small and sound.

mod backup;
mod prune;

pub(super) use backup::backup;
pub(super) use prune::{Sweep, prune};
use rusqlite::Connection;
use rustix::fs::fstatvfs;

use super::file::StoreFile;
use crate::store::CheckReport;

/// Examines the file.
pub(super) fn check(db: &Connection, file: &StoreFile) -> rusqlite::Result<CheckReport> {
    let schema = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let mut statement = db.prepare("PRAGMA quick_check(100)")?;
    let found = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut faults = found.collect::<rusqlite::Result<Vec<_>>>()?;
    faults.retain(|fault| fault != "ok");
    let free = fstatvfs(file.folder()).map(|it| it.f_bavail.saturating_mul(it.f_frsize));
    Ok(CheckReport {
        path: file.path().to_owned(),
        library: rusqlite::version().to_owned(),
        schema,
        faults,
        free_disk_bytes: free.unwrap_or_default(),
    })
}
