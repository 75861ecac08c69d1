//! Copies of the file, and its size.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use super::*;
use crate::{
    conformance::end,
    store::{Outcome, Retention},
};

#[test]
fn a_backup_of_a_running_store_is_whole_and_replaces_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let (state, copies) = (folder.path().join("state"), folder.path().join("copies/state"));
    fs::create_dir_all(&copies).unwrap();
    let (store, epoch) = open(&state);
    let (acknowledged, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let copy = copies.join("hotbay.db");
    let at_least = thread::scope(|scope| {
        scope.spawn(|| {
            for run in 1.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let records = [requested(run, "p/a"), log(run, "text ".repeat(100))];
                store.write_and_wait(epoch, batch(records)).unwrap();
                acknowledged.store(run, Ordering::SeqCst);
            }
        });
        while acknowledged.load(Ordering::SeqCst) < 100 {
            thread::yield_now();
        }
        let at_least = acknowledged.load(Ordering::SeqCst);
        store.backup(&copy).unwrap();
        stop.store(true, Ordering::Relaxed);
        at_least
    });
    assert_eq!(copy.metadata().unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(&copies).unwrap().count(), 1, "one file, complete alone");
    assert_eq!(store.backup(&copy), Err(StoreError::Exists(copy)));
    // The copy is a store, whose host is another.
    fs::set_permissions(&copies, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let (copied, epoch) = open(&copies);
    let runs = live(&copied);
    assert!(runs.len() as u64 >= at_least);
    assert_eq!(runs, (1..=runs.len() as u64).collect::<Vec<_>>());
    assert_eq!(copied.stats().unwrap().log_lines, runs.len() as u64);
    create(&copied, epoch, runs.len() as u64 + 1).unwrap();
}

#[test]
fn a_backup_that_can_t_be_written_says_why_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder.path().join("state"));
    for target in ["none/copy", "state"] {
        let target = folder.path().join(target);
        let error = store.backup(&target).unwrap_err().to_string();
        assert!(error.starts_with(&target.display().to_string()), "{error}");
    }
    assert!(matches!(store.backup(Path::new("/")), Err(StoreError::Target { .. })));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_file_stays_as_it_is_if_as_much_is_removed_as_is_added() {
    let folder = tempfile::tempdir().unwrap();
    let (store, epoch) = open(folder.path());
    let keep = Retention { max_age: None, max_runs_per_task: Some(200), keep_at_least: 10 };
    let (mut before, mut after, mut next) = (Vec::new(), Vec::new(), 1);
    for _ in 0..10 {
        for _ in 0..10 {
            let runs = next..next + 200;
            next = runs.end;
            let records = runs.flat_map(|run| {
                let long = log(run, "text ".repeat(200));
                [requested(run, "p/a"), long, end(run, Outcome::Succeeded)]
            });
            let batch = Batch { records: records.collect(), durability: Durability::Async };
            store.write_and_wait(epoch, batch).unwrap();
        }
        before.push(store.stats().unwrap().file_bytes);
        while store.prune(epoch, &keep, 500).unwrap().has_more {}
        let stats = store.stats().unwrap();
        assert_eq!((stats.runs, stats.log_lines), (200, 200));
        after.push(stats.file_bytes);
    }
    let (first, last) = (before[1], before[9]);
    assert!(last <= first + first / 20, "it does not grow: {before:?}");
    assert!(after.iter().all(|it| *it < first * 2 / 3), "room is given back: {before:?} {after:?}");
}
