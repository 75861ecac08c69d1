//! The connections that read.

use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;

use super::{file::StoreFile, writer::unreadable};
use crate::store::StoreError;

/// The most connections that are kept open while nobody reads.
const KEPT: usize = 4;

/// Connections that read, opened as needed.
#[derive(Debug)]
pub(super) struct Readers {
    file: Arc<StoreFile>,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(file: Arc<StoreFile>) -> Self {
        Self { file, idle: Mutex::default() }
    }

    /// Reads what the file holds at one moment.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.read_with(|db| {
            let moment = db.unchecked_transaction().map_err(|it| unreadable(&self.file, &it))?;
            // Nothing was changed, so it does not matter how the transaction ends.
            read(&moment).map_err(|error| unreadable(&self.file, &error))
        })
    }

    /// Lends a connection.
    pub(super) fn read_with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.idle.lock().pop();
        let db = match idle {
            Some(db) => db,
            None => self.file.connect_to_read().map_err(|it| unreadable(&self.file, &it))?,
        };
        let result = read(&db);
        // After an error, the next one begins with a new connection.
        if result.is_ok() {
            let mut idle = self.idle.lock();
            if idle.len() < KEPT {
                idle.push(db);
            }
        }
        result
    }
}
