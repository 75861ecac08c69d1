//! From errors of SQLite to what is wrong.

use std::io::{self, ErrorKind};

use rusqlite::{Error, ErrorCode, ffi};

use crate::store::{Conflict, Failure, StoreError};

/// Why something was not written or read.
#[derive(Debug)]
pub(super) enum Fault {
    /// It alone is wrong.
    Own(StoreError),
    /// The file can't be used.
    File(Failure),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::File(failure(&error))
    }
}

impl From<Conflict> for Fault {
    fn from(conflict: Conflict) -> Self {
        Self::Own(conflict.into())
    }
}

impl Failure {
    /// Returns what is wrong according to an error of the operating system.
    pub(super) fn of(error: &io::Error) -> Self {
        // The kind is kept where the text of an error is replaced.
        let kind = error.kind();
        if matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
            return Self::Full;
        }
        if matches!(kind, ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied) {
            return Self::ReadOnly;
        }
        Self::Io(error.to_string())
    }
}

/// Returns what is wrong with the file, in terms of an operator.
#[expect(clippy::wildcard_enum_match_arm, reason = "all others are unlikely or mistakes here")]
pub(super) fn failure(error: &Error) -> Failure {
    let text = || error.to_string();
    match error {
        Error::SqliteFailure(code, _) => match code.code {
            ErrorCode::DiskFull => Failure::Full,
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Failure::Locked,
            ErrorCode::ReadOnly if code.extended_code == ffi::SQLITE_READONLY_DBMOVED => {
                Failure::Removed
            }
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Failure::ReadOnly,
            ErrorCode::SystemIoFailure | ErrorCode::CannotOpen => Failure::Io(text()),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Failure::Damaged(text()),
            _ => Failure::Other(text()),
        },
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..) => Failure::Damaged(text()),
        _ => Failure::Other(text()),
    }
}
