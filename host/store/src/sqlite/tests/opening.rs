//! Opening a file.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
};

use rusqlite::Connection;

use super::*;
use crate::sqlite::schema::{Found, MIGRATIONS, migrate, newest};

fn refused(folder: &Path) -> String {
    SqliteStore::open(folder).unwrap_err().to_string()
}

fn schema_of(path: &Path) -> Vec<String> {
    let db = Connection::open(path).unwrap();
    let mut statement = db.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").unwrap();
    let found = statement.query_map([], |row| row.get(0)).unwrap();
    let mut found: Vec<_> = found.map(Result::unwrap).collect();
    found.sort();
    found
}

#[test]
fn a_store_is_made_on_first_use_and_is_its_user_s_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let (store, epoch) = open(&path);
    create(&store, epoch, 1).unwrap();
    let mut names: Vec<_> = fs::read_dir(&path)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().mode() & 0o777, 0o600, "{entry:?}");
            entry.file_name().into_string().unwrap()
        })
        .collect();
    names.sort();
    assert_eq!(names, ["hotbay.db", "hotbay.db-shm", "hotbay.db-wal", "store.lock"]);
    assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
}

#[test]
fn a_link_and_a_file_of_others_are_refused_and_left_as_they_are() {
    for name in ["hotbay.db", "hotbay.db-wal", "hotbay.db-shm"] {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        fs::write(&target, "precious").unwrap();
        symlink(&target, folder.path().join(name)).unwrap();
        let said = refused(folder.path());
        assert!(said.contains(name) && said.contains("is a symbolic link"), "{said}");
        assert_eq!(fs::read(&target).unwrap(), b"precious");
    }
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let path = folder.path().join("hotbay.db");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o606)).unwrap();
    let said = refused(folder.path());
    assert!(said.contains("hotbay.db can be written by others"), "{said}");
}

#[test]
fn what_is_in_the_way_of_a_file_of_the_store_is_named_and_may_be_removed() {
    for name in ["hotbay.db", "hotbay.db-wal", "store.lock"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().join(name);
        fs::create_dir(&path).unwrap();
        let said = refused(folder.path());
        let path = path.display();
        let expected = format!("{path} is not a regular file but a folder; see who put it there,");
        assert!(said.contains(&expected) && said.ends_with("and remove it"), "{said}");
    }
}

#[test]
fn a_folder_behind_a_link_of_this_user_is_as_good_as_another() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("real")).unwrap();
    symlink("real", folder.path().join("link")).unwrap();
    let (store, epoch) = open(&folder.path().join("link"));
    create(&store, epoch, 1).unwrap();
    assert!(folder.path().join("real/hotbay.db").exists());
}

#[test]
fn a_file_of_a_newer_version_is_refused_with_both_versions_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let path = folder.path().join("hotbay.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 4711).unwrap();
    let before = fs::read(&path).unwrap();
    let said = refused(folder.path());
    let ours = format!("up to {}", MIGRATIONS.len());
    assert!(said.contains("hotbay.db has version 4711") && said.contains(&ours), "{said}");
    assert!(said.contains("start the newer program"), "{said}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_of_another_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hotbay.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE other (a)").unwrap();
    let said = refused(folder.path());
    assert!(said.contains("hotbay.db is no store of this program"), "{said}");
    fs::write(&path, "this is not even a database, but a text of some length\n".repeat(99))
        .unwrap();
    let said = refused(folder.path());
    assert!(said.contains("hotbay.db is damaged (file is not a database)"), "{said}");
    assert!(said.contains("put a backup in its place"), "{said}");
}

#[test]
fn a_damaged_file_is_found_by_its_examination() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(SqliteStore::examine(folder.path()).unwrap(), None);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let (store, epoch) = open(folder.path());
    for run in 1..=200 {
        let records = [requested(run, "p/a"), log(run, "text ".repeat(100))];
        store.write_and_wait(epoch, batch(records)).unwrap();
    }
    let sound = SqliteStore::examine(folder.path()).unwrap().unwrap();
    assert_eq!((sound.faults, sound.schema), (Vec::new(), newest()));
    assert!(sound.free_disk_bytes > 0 && sound.path.ends_with("hotbay.db"));
    drop(store);
    let path = folder.path().join("hotbay.db");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 4096 / 2 * 4096;
    bytes[middle..middle + 4096].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    match SqliteStore::examine(folder.path()) {
        Ok(Some(found)) => assert_ne!(found.faults, Vec::<String>::new()),
        // The damage may be such that it can't even be examined.
        found => assert!(matches!(found, Err(OpenError::Damaged { .. })), "{found:?}"),
    }
}

#[test]
fn a_file_whose_making_was_cut_short_is_made() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("hotbay.db"), "").unwrap();
    let (store, epoch) = open(folder.path());
    create(&store, epoch, 1).unwrap();
    drop(store);
    let folder = tempfile::tempdir().unwrap();
    let db = Connection::open(folder.path().join("hotbay.db")).unwrap();
    db.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;").unwrap();
    drop(db);
    let (store, epoch) = open(folder.path());
    create(&store, epoch, 1).unwrap();
}

#[test]
fn a_file_of_each_older_version_is_brought_to_the_present_one_and_keeps_its_runs() {
    let new = tempfile::tempdir().unwrap();
    drop(open(new.path()));
    for version in 1..=MIGRATIONS.len() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hotbay.db");
        let mut db = Connection::open(&path).unwrap();
        migrate(&mut db, Found::Empty, &MIGRATIONS[..version]).unwrap();
        // What every version has.
        db.execute_batch(
            "INSERT INTO tasks (id, task) VALUES (1, 'p/a');
             INSERT INTO runs (run, task, state, cause, since, priority) VALUES (7, 1, 2, 0, 0, 0);
             UPDATE totals SET runs = 1, live_runs = 1, next_run = 8;",
        )
        .unwrap();
        drop(db);
        let (store, epoch) = open(folder.path());
        assert_eq!(live(&store), [7], "from version {version}");
        create(&store, epoch, 8).unwrap();
        drop(store);
        assert_eq!(schema_of(&path), schema_of(&new.path().join("hotbay.db")));
    }
}

#[test]
fn a_file_is_not_made_by_two_hosts_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = StoreFile::find(folder.path(), Missing::IsMade).unwrap();
    let lock = file.lock().unwrap().unwrap();
    let said = refused(folder.path());
    assert!(said.contains("another host makes the store"), "{said}");
    drop(lock);
    drop(open(folder.path()));
}
