//! Files that can't be written for a while.

use std::{fs, process::Command};

use rusqlite::Connection;

use super::*;

fn is_failing_as(store: &SqliteStore, expected: &Failure) -> bool {
    matches!(store.health(), Health::Failing { reason, .. } if reason == *expected)
}

#[test]
fn a_locked_file_can_be_written_once_the_lock_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (store, epoch) = open(folder.path());
    create(&store, epoch, 1).unwrap();
    let other = Connection::open(folder.path().join("hotbay.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(failure(create(&store, epoch, 2)), Failure::Locked);
    assert!(is_failing_as(&store, &Failure::Locked));
    // It can be read meanwhile.
    assert_eq!(live(&store), [1]);
    other.execute_batch("COMMIT").unwrap();
    create(&store, epoch, 2).unwrap();
    assert_eq!((live(&store), store.health()), (vec![1, 2], Health::Good));
}

#[test]
fn a_file_that_was_removed_takes_no_more_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["hotbay.db", "hotbay.db-wal"] {
        let (store, epoch) = open(folder.path());
        let next = store.next_run_id().unwrap().0;
        create(&store, epoch, next).unwrap();
        let (path, away) = (folder.path().join(name), folder.path().join("away"));
        fs::rename(&path, &away).unwrap();
        assert_eq!(failure(create(&store, epoch, next + 1)), Failure::Removed, "{name}");
        // Another file of this name is no better.
        fs::copy(&away, &path).unwrap();
        assert_eq!(failure(create(&store, epoch, next + 1)), Failure::Removed, "{name}");
        assert!(is_failing_as(&store, &Failure::Removed));
        fs::rename(&away, &path).unwrap();
        create(&store, epoch, next + 1).unwrap();
        assert_eq!(store.health(), Health::Good);
        drop(store);
        let (store, _) = open(folder.path());
        assert_eq!(live(&store), (1..=next + 1).collect::<Vec<_>>());
    }
}

/// Lets the present connection of the writer refuse all that it is to write.
fn refuse_writes(store: &SqliteStore) {
    let read_only = |writer: &mut Writer| {
        writer.with_connection(|db| db.execute_batch("PRAGMA query_only = ON"))
    };
    store.call(read_only).unwrap();
}

#[test]
fn an_epoch_that_can_t_be_opened_leaves_the_one_before_in_charge() {
    let folder = tempfile::tempdir().unwrap();
    let (store, epoch) = open(folder.path());
    let (host, lease) = (HostInfo::this(), Duration::from_secs(600));
    refuse_writes(&store);
    assert_eq!(failure(store.open_epoch(&host, lease)), Failure::ReadOnly);
    let other = SqliteStore::open(folder.path()).unwrap();
    assert!(matches!(other.open_epoch(&host, lease), Err(StoreError::Held { .. })));
    create(&store, epoch, 1).unwrap();
}

#[test]
fn a_connection_that_can_t_write_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (store, epoch) = open(folder.path());
    create(&store, epoch, 1).unwrap();
    refuse_writes(&store);
    assert_eq!(failure(create(&store, epoch, 2)), Failure::ReadOnly);
    create(&store, epoch, 2).unwrap();
    assert_eq!((live(&store), store.health()), (vec![1, 2], Health::Good));
}

/// Writes until no room is left, and returns the runs that were acknowledged.
fn fill(store: &SqliteStore, epoch: Epoch) -> Vec<u64> {
    for run in 1..10_000 {
        let records = [requested(run, &format!("p/task_{run}")), log(run, "text ".repeat(4_000))];
        if let Err(error) = store.write_and_wait(epoch, batch(records)) {
            assert_eq!(failure::<()>(Err(error)), Failure::Full);
            return (1..run).collect();
        }
    }
    panic!("the disk is never full");
}

/// Checks that a store without room recovers once it has some.
fn recovers(folder: &Path, make_room: impl FnOnce(&SqliteStore)) {
    let (store, epoch) = open(folder);
    let mut acknowledged = fill(&store, epoch);
    assert!(is_failing_as(&store, &Failure::Full));
    assert_eq!(live(&store), acknowledged, "it can be read");
    make_room(&store);
    store.heartbeat(epoch, Duration::from_secs(600)).unwrap();
    assert_eq!(store.health(), Health::Good);
    let next = acknowledged.len() as u64 + 1;
    create(&store, epoch, next).unwrap();
    acknowledged.push(next);
    assert_eq!(live(&store), acknowledged);
    drop(store);
    let (store, _) = open(folder);
    assert_eq!(live(&store), acknowledged);
    assert_eq!(store.check().unwrap().faults, Vec::<String>::new());
    assert_eq!(store.tasks().unwrap().len(), acknowledged.len());
}

#[test]
fn a_file_that_may_not_grow_takes_more_once_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let limit = |store: &SqliteStore, pages: u32| {
        store
            .call(move |writer| {
                writer.with_connection(|db| {
                    db.execute_batch(&format!("PRAGMA max_page_count = {pages}"))
                })
            })
            .unwrap();
    };
    let (store, _) = open(folder.path());
    limit(&store, 100);
    drop(store);
    // The limit is that of a connection, so it is set again by the one that writes.
    let (store, epoch) = open(folder.path());
    limit(&store, 100);
    let acknowledged = fill(&store, epoch);
    assert!(is_failing_as(&store, &Failure::Full));
    limit(&store, 100_000);
    create(&store, epoch, acknowledged.len() as u64 + 1).unwrap();
    assert_eq!(store.health(), Health::Good);
    assert_eq!(store.tasks().unwrap().len(), acknowledged.len() + 1);
}

/// The folder of the inner run of the test, on a small disk of its own.
const SMALL_DISK: &str = "HOTBAY_TEST_SMALL_DISK";

#[test]
fn a_full_disk_takes_more_once_it_has_room() {
    if let Some(folder) = std::env::var_os(SMALL_DISK) {
        let folder = Path::new(&folder);
        let ballast = folder.join("ballast");
        fs::write(&ballast, vec![1; 1 << 20]).unwrap();
        return recovers(&folder.join("state"), |_| fs::remove_file(ballast).unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size=6m none {}", folder.path().display());
    let tried = Command::new("unshare").args(["-rm", "/bin/sh", "-c", &mount]).output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        eprintln!("left out: this user may not mount anything");
        return;
    }
    let name = "sqlite::tests::faults::a_full_disk_takes_more_once_it_has_room";
    let inner = Command::new("unshare")
        .args(["-rm", "/bin/sh", "-c", &format!("{mount} && exec \"$@\""), "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(SMALL_DISK, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&inner.stdout) + String::from_utf8_lossy(&inner.stderr);
    assert!(inner.status.success() && said.contains("1 passed"), "{said}");
}
