//! The versions of the schema.

use rusqlite::{Connection, TransactionBehavior, ffi};

use super::{OpenError, file::StoreFile};

/// The mark by which the file is known as one of Hotbay.
const APPLICATION: i32 = i32::from_be_bytes(*b"HOTB");

/// What makes each version from the one before; the first, from an empty file. A file of each is
/// somewhere, so none of them is ever changed.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/1.sql"),
    include_str!("migrations/2.sql"),
    include_str!("migrations/3.sql"),
    include_str!("migrations/4.sql"),
];

/// Returns the version that this program writes.
pub(super) fn newest() -> u32 {
    version_after(MIGRATIONS.len())
}

fn version_after(migrations: usize) -> u32 {
    u32::try_from(migrations).unwrap_or(u32::MAX)
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A file without any content.
    Empty,
    /// A file of this version.
    Version(u32),
}

/// Tells what a file is.
///
/// # Errors
/// If it is damaged, of another program, or of a newer version.
pub(super) fn find(db: &Connection, file: &StoreFile) -> Result<Found, OpenError> {
    let number = |sql| db.query_row(sql, [], |row| row.get::<_, i64>(0));
    let all = || {
        Ok((
            number("PRAGMA application_id")?,
            number("PRAGMA user_version")?,
            number("SELECT count(*) FROM sqlite_schema")?,
        ))
    };
    let (application, version, objects) = all().map_err(|error| file.not_opened(&error))?;
    let path = || file.path().to_owned();
    match (u32::try_from(version), objects) {
        (Ok(0), 0) if application == 0 => Ok(Found::Empty),
        (Ok(found @ 1..), _) if application == i64::from(APPLICATION) => {
            if found > newest() {
                return Err(OpenError::Newer { path: path(), found, ours: newest() });
            }
            Ok(Found::Version(found))
        }
        _ => Err(OpenError::Foreign { path: path() }),
    }
}

/// Brings a file to the version after the last of these migrations.
pub(super) fn migrate(
    db: &mut Connection,
    found: Found,
    migrations: &[&str],
) -> rusqlite::Result<()> {
    if found == Found::Empty {
        // This has an effect only as long as the file is empty.
        db.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
    }
    set_wal(db)?;
    let done = match found {
        Found::Empty => 0,
        Found::Version(version) => usize::try_from(version).unwrap_or(usize::MAX),
    };
    for (index, sql) in migrations.iter().enumerate().skip(done) {
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", version_after(index + 1))?;
        transaction.commit()?;
    }
    Ok(())
}

/// Lets readers and the writer not wait for each other. A backup is not in this mode.
pub(super) fn set_wal(db: &Connection) -> rusqlite::Result<()> {
    let mode: String = db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode == "wal" {
        return Ok(());
    }
    // In another mode, a transaction that is not for the disk could damage the file.
    let reason = "its file system does not let processes share memory, which WAL mode needs";
    let code = ffi::Error::new(ffi::SQLITE_IOERR);
    Err(rusqlite::Error::SqliteFailure(code, Some(reason.to_owned())))
}
