use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    time::{Duration, UNIX_EPOCH},
};

use hotbay_plugin_api::testing::TestHost;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

/// Two folders, `from` and `to`, and what is around them.
struct Folders {
    root: TempDir,
}

impl Folders {
    fn new() -> Self {
        let folders = Self { root: tempfile::tempdir().unwrap() };
        fs::create_dir(folders.path("from")).unwrap();
        fs::create_dir(folders.path("to")).unwrap();
        folders
    }

    /// Makes the folders with these files in them, by their names and contents.
    fn with(files: &[(&str, &str)]) -> Self {
        let folders = Self::new();
        for (name, content) in files {
            folders.write(name, content);
        }
        folders
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn host(&self, more: Value) -> TestHost {
        let mut config = json!({ "from": self.path("from"), "to": self.path("to") });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        TestHost::new().with_config(config)
    }

    fn sync(&self, more: Value) -> Result<Synced, SchedulerError> {
        sync_data(self.host(more).context())
    }

    /// What is in the folder `to` and not complete.
    fn parts(&self) -> usize {
        let entries = fs::read_dir(self.path("to")).unwrap();
        entries.filter(|it| is_part(&it.as_ref().unwrap().file_name())).count()
    }
}

#[test]
fn new_and_changed_files_are_copied_and_others_are_not() {
    let folders = Folders::new();
    let a = folders.write("from/a", "one");
    folders.write("from/deep/down/b", vec![7; 1 << 20]);
    fs::set_permissions(&a, fs::Permissions::from_mode(0o640)).unwrap();
    let first = folders.sync(json!({})).unwrap();
    assert_eq!((first.copied, first.copied_bytes, first.unchanged), (2, (1 << 20) + 3, 0));
    assert_eq!(folders.read("to/a"), "one");
    let copy = fs::metadata(folders.path("to/a")).unwrap();
    assert_eq!(copy.mode() & 0o777, 0o640);
    assert_eq!(copy.modified().unwrap(), fs::metadata(&a).unwrap().modified().unwrap());

    folders.write("from/a", "two, longer");
    let second = folders.sync(json!({})).unwrap();
    assert_eq!((second.copied, second.unchanged), (1, 1));
    assert_eq!((folders.read("to/a").as_str(), folders.parts()), ("two, longer", 0));
}

#[test]
fn a_change_that_left_size_and_time_alone_is_found_by_checksums() {
    let folders = Folders::new();
    let time = UNIX_EPOCH + Duration::from_secs(1_000);
    let write = |content| {
        let path = folders.write("from/a", content);
        fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    };
    write("one");
    folders.sync(json!({})).unwrap();
    write("two");
    assert_eq!(folders.sync(json!({})).unwrap().copied, 0);
    assert_eq!(folders.sync(json!({ "compare": "checksums" })).unwrap().copied, 1);
    assert_eq!(folders.read("to/a"), "two");
    assert_eq!(folders.sync(json!({ "compare": "checksums" })).unwrap().unchanged, 1);
}

#[test]
fn a_copy_that_was_broken_off_is_continued_where_it_is_right() {
    let folders = Folders::new();
    let content: Vec<u8> = (0..1_000_000usize).map(|n| b"abcdefg"[n / 1_000 % 7]).collect();
    folders.write("from/a", &content);
    let part = format!("to/{}", part_of("a".as_ref()).display());
    for (rest, what) in [
        (content[..600_000].to_vec(), "a good part"),
        ([&content[..300_000], &[255; 100_000]].concat(), "a wrong end"),
        (vec![1; 2_000_000], "another file"),
    ] {
        folders.write(&part, &rest);
        drop(fs::remove_file(folders.path("to/a")));
        assert_eq!(folders.sync(json!({})).unwrap().copied, 1, "{what}");
        assert!(fs::read(folders.path("to/a")).unwrap() == content, "{what}");
        assert_eq!(folders.parts(), 0, "{what}");
    }
}

#[test]
fn what_a_copy_left_behind_whose_file_is_gone_is_removed() {
    let folders = Folders::with(&[("from/a", "")]);
    folders.write(&format!("to/{}", part_of("gone".as_ref()).display()), "part");
    folders.sync(json!({})).unwrap();
    assert_eq!(folders.parts(), 0);
}

#[test]
fn a_part_that_has_another_name_elsewhere_is_not_written_to() {
    let folders = Folders::with(&[("from/a", "content")]);
    let victim = folders.write("outside/file", "precious");
    fs::hard_link(&victim, folders.path("to").join(part_of("a".as_ref()))).unwrap();
    folders.sync(json!({})).unwrap();
    assert_eq!((&*folders.read("to/a"), &*folders.read("outside/file")), ("content", "precious"));
}

#[test]
fn what_is_gone_is_removed_only_if_the_settings_say_so() {
    let folders = Folders::with(&[
        ("from/a", ""),
        ("to/old/deep/b", ""),
        ("to/old/x.keep", ""),
        ("to/c", ""),
    ]);
    assert_eq!(folders.sync(json!({})).unwrap().removed, 0);
    let settings = json!({ "delete": true, "leave_out": ["*.keep"] });
    assert_eq!(folders.sync(settings).unwrap().removed, 2);
    assert!(folders.path("to/old/x.keep").exists() && !folders.path("to/old/deep").exists());
    assert_eq!(folders.sync(json!({ "delete": true })).unwrap().removed, 1);
    assert!(!folders.path("to/old").exists() && folders.path("to/a").exists());
}

#[test]
fn an_empty_or_missing_source_removes_nothing() {
    let folders = Folders::with(&[("to/a", "")]);
    let error = folders.sync(json!({ "delete": true })).unwrap_err().to_string();
    assert!(error.contains("is its disk mounted?"), "{error}");
    fs::remove_dir(folders.path("from")).unwrap();
    let error = folders.sync(json!({ "delete": true })).unwrap_err().to_string();
    assert!(error.contains("cannot open the folder"), "{error}");
    assert!(folders.path("to/a").exists());
}

#[test]
fn no_link_leads_out_of_either_folder() {
    let folders =
        Folders::with(&[("outside/secret", "secret"), ("from/folder/a", "a"), ("from/b", "b")]);
    symlink(folders.path("outside"), folders.path("from/link")).unwrap();
    symlink(folders.path("outside/secret"), folders.path("from/file-link")).unwrap();
    // In the target, links stand where the folder and the file are to be.
    symlink(folders.path("outside"), folders.path("to/folder")).unwrap();
    symlink(folders.path("outside/secret"), folders.path("to/b")).unwrap();
    symlink(folders.path("outside"), folders.path("to/other")).unwrap();
    let error = folders.sync(json!({})).unwrap_err().to_string();
    assert!(error.contains("cannot open the folder") && error.contains("to/folder"), "{error}");
    // The file has taken the place of the link, and with `delete` the folder does.
    assert_eq!((&*folders.read("to/b"), folders.path("to/other").exists()), ("b", true));
    folders.sync(json!({ "delete": true })).unwrap();
    assert_eq!((&*folders.read("to/folder/a"), folders.path("to/other").exists()), ("a", false));
    assert_eq!(folders.read("outside/secret"), "secret");
    assert_eq!(fs::read_dir(folders.path("outside")).unwrap().count(), 1);
    assert!(!folders.path("to/link").exists());
}

#[test]
fn a_file_that_became_a_folder_or_the_reverse_takes_the_place_of_the_other() {
    let folders = Folders::with(&[
        ("from/a/inner", "inner"),
        ("from/b", "b"),
        ("to/a", "a file"),
        ("to/b/inner", "in a folder"),
    ]);
    let error = folders.sync(json!({})).unwrap_err().to_string();
    assert!(error.contains("2 problems"), "{error}");
    folders.sync(json!({ "delete": true })).unwrap();
    assert_eq!((&*folders.read("to/a/inner"), &*folders.read("to/b")), ("inner", "b"));
}

#[test]
fn folders_that_lie_in_one_another_are_refused() {
    let folders = Folders::new();
    fs::create_dir(folders.path("from/inner")).unwrap();
    symlink(folders.path("from"), folders.path("other-name")).unwrap();
    for to in ["from", "from/inner", "other-name/inner", "."] {
        let error = folders.sync(json!({ "to": folders.path(to) })).unwrap_err().to_string();
        assert!(error.contains("must not lie in one another"), "{to}: {error}");
    }
}

#[test]
fn a_run_that_is_cancelled_leaves_no_part_under_a_files_name() {
    let folders = Folders::with(&[("from/a", "content")]);
    let host = folders.host(json!({}));
    host.cancel();
    let error = sync_data(host.context()).unwrap_err().to_string();
    assert!(error.contains("cancelled") && !folders.path("to/a").exists(), "{error}");
}
