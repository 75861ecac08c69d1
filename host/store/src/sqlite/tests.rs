//! The store in a file.

use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::conformance::{CHECKS, Factory};

struct InFolder(TempDir);

impl InFolder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Factory for InFolder {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(self.0.path()).unwrap())
    }
}

#[test]
fn a_file_of_sqlite_does_what_every_store_must() {
    for (name, check) in CHECKS {
        eprintln!("{name}");
        check(&InFolder::new());
    }
}
