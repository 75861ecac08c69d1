//! The store in a file.

mod faults;
mod killed;
mod opening;
mod queueing;
mod reading;
mod upkeep;

use std::{path::Path, sync::Arc, time::Duration};

use tempfile::TempDir;

use super::*;
use crate::{
    conformance::{CHECKS, Factory, requested},
    store::{LogLevel, Record},
};

struct InFolder(TempDir);

impl Factory for InFolder {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(self.0.path()).unwrap())
    }
}

#[test]
fn a_file_of_sqlite_does_what_every_store_must() {
    for (name, check) in CHECKS {
        eprintln!("{name}");
        check(&InFolder(tempfile::tempdir().unwrap()));
    }
}

/// Opens the store of a folder, and an epoch.
fn open(folder: &Path) -> (SqliteStore, Epoch) {
    let store = SqliteStore::open(folder).unwrap();
    let epoch = store.open_epoch(&HostInfo::this(), Duration::from_secs(600)).unwrap();
    (store, epoch)
}

fn log(run: u64, message: String) -> Record {
    Record::Log { run: RunId(run), at: Timestamp::UNIX_EPOCH, level: LogLevel::Info, message }
}

fn batch(records: impl IntoIterator<Item = Record>) -> Batch {
    Batch { records: records.into_iter().collect(), durability: Durability::Fsync }
}

/// Creates a run.
fn create(store: &SqliteStore, epoch: Epoch, run: u64) -> Result<(), StoreError> {
    store.write_and_wait(epoch, batch([requested(run, "p/a")])).map(drop)
}

fn live(store: &SqliteStore) -> Vec<u64> {
    store.live_runs().unwrap().iter().map(|run| run.run.0).collect()
}

/// Returns why the store can't be used.
fn failure<T: std::fmt::Debug>(result: Result<T, StoreError>) -> Failure {
    match result {
        Err(StoreError::Unavailable { failure, .. }) => failure,
        other => panic!("{other:?}"),
    }
}
