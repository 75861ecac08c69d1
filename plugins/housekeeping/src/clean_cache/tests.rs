use std::{
    fs,
    os::unix::fs::symlink,
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};

use hotbay_plugin_api::testing::{TestHost, block_on};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

const DAY: u64 = 86_400;

/// A folder in the year 1970, on whose tenth day the task runs.
struct Cache {
    root: TempDir,
}

impl Cache {
    fn new() -> Self {
        let cache = Self { root: tempfile::tempdir().unwrap() };
        fs::create_dir(cache.path("cache")).unwrap();
        cache
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Writes a file of four bytes that was modified on this day.
    fn file(&self, name: &str, day: u64) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "four").unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(day * DAY)).unwrap();
        path
    }

    fn age(&self, folder: &str, day: u64) {
        let folder = fs::File::open(self.path(folder)).unwrap();
        folder.set_modified(UNIX_EPOCH + Duration::from_secs(day * DAY)).unwrap();
    }

    /// Cleans the folder `cache` of what is older than a week.
    fn clean(&self, more: Value) -> (TestHost, Result<Removed, SchedulerError>) {
        let mut config = json!({ "folders": [self.path("cache")], "older_than": "7days" });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let host = TestHost::new().with_config(config);
        host.advance(Duration::from_secs(10 * DAY));
        let removed = block_on(clean_cache(host.context()));
        (host, removed)
    }
}

#[test]
fn old_files_are_removed_and_counted_and_young_ones_stay() {
    let cache = Cache::new();
    let old = [cache.file("cache/a", 1), cache.file("cache/deep/down/b", 2)];
    let young = [cache.file("cache/c", 4), cache.file("cache/deep/d", 11)];
    let (host, removed) = cache.clean(json!({}));
    let removed = removed.unwrap();
    assert_eq!((removed.files, removed.bytes, removed.folders), (2, 8, 0));
    assert_eq!(removed.first, old.each_ref().map(|path| path.display().to_string()));
    assert!(old.iter().all(|path| !path.exists()) && young.iter().all(|path| path.exists()));
    assert!(cache.path("cache/deep/down").exists());
    assert_eq!((host.counter("removed_files"), host.counter("removed_bytes")), (2, 8));
}

#[test]
fn a_dry_run_says_what_it_would_remove_and_removes_nothing() {
    let cache = Cache::new();
    let old = cache.file("cache/inner/a", 1);
    cache.age("cache/inner", 1);
    let (host, removed) = cache.clean(json!({ "dry_run": true, "remove_empty_folders": true }));
    let removed = removed.unwrap();
    assert_eq!((removed.files, removed.folders, removed.dry_run), (1, 1, true));
    assert!(old.exists());
    assert_eq!(host.counter("removed_files"), 0);
}

#[test]
fn what_links_lead_to_is_left_alone() {
    let cache = Cache::new();
    let outside = cache.file("outside/a", 1);
    symlink(cache.path("outside"), cache.path("cache/folder")).unwrap();
    symlink(&outside, cache.path("cache/file")).unwrap();
    symlink("..", cache.path("cache/up")).unwrap();
    let (_, removed) = cache.clean(json!({ "older_than": "0s" }));
    assert_eq!(removed.unwrap().files, 0, "links are as old as they are themselves: young");
    assert!(outside.exists());
    let link = json!({ "folders": [cache.path("cache/folder")] });
    let error = cache.clean(link).1.unwrap_err().to_string();
    assert!(error.contains("cache/folder: it is a symbolic link"), "{error}");
    assert!(outside.exists());
}

#[test]
fn patterns_keep_files_and_whole_folders() {
    let cache = Cache::new();
    let kept = ["x.lock", "deep/y.lock", "pinned/a", "pinned/deep/b"]
        .map(|name| cache.file(&format!("cache/{name}"), 1));
    let old = cache.file("cache/deep/a", 1);
    let (_, removed) = cache.clean(json!({ "keep": ["*.lock", "pinned"] }));
    assert_eq!(removed.unwrap().files, 1);
    assert!(kept.iter().all(|path| path.exists()) && !old.exists());
}

#[test]
fn empty_folders_are_removed_if_they_are_old_and_the_named_one_stays() {
    let cache = Cache::new();
    drop(cache.file("cache/old/deep/a", 1));
    fs::create_dir(cache.path("cache/young")).unwrap();
    for folder in ["cache/old/deep", "cache/old", "cache"] {
        cache.age(folder, 1);
    }
    cache.age("cache/young", 9);
    let (_, removed) = cache.clean(json!({ "remove_empty_folders": true }));
    assert_eq!(removed.unwrap().folders, 2);
    assert!(!cache.path("cache/old").exists() && cache.path("cache/young").exists());
}

#[test]
fn a_folder_that_is_missing_fails_the_run_after_the_others_were_cleaned() {
    let cache = Cache::new();
    let old = cache.file("cache/a", 1);
    let folders = json!({ "folders": [cache.path("missing"), cache.path("cache")] });
    let error = cache.clean(folders).1.unwrap_err().to_string();
    assert!(error.contains("cannot open the folder") && error.contains("missing"), "{error}");
    assert!(!old.exists());
}

#[test]
fn a_run_that_is_cancelled_removes_nothing_more() {
    let cache = Cache::new();
    let old = cache.file("cache/a", 1);
    let config = json!({ "folders": [cache.path("cache")], "older_than": "0s" });
    let host = TestHost::new().with_config(config);
    host.cancel();
    let error = block_on(clean_cache(host.context())).unwrap_err();
    assert!(error.to_string().contains("cancelled") && old.exists());
}

/// While a stranger puts a link to another folder in the place of one that is cleaned, over and
/// over, nothing in the other folder is removed.
#[test]
fn a_stranger_that_renames_folders_cannot_lead_it_outside() {
    let cache = Cache::new();
    let outside: Vec<_> = (0..20).map(|n| cache.file(&format!("outside/{n}"), 1)).collect();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let (inner, aside) = (cache.path("cache/inner"), cache.path("aside"));
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                // Each may fail, because the task removes the entries as well.
                drop(fs::create_dir_all(&inner));
                drop(fs::rename(&inner, &aside));
                drop(symlink(cache.path("outside"), &inner));
                drop(fs::remove_file(&inner));
                drop(fs::rename(&aside, &inner));
            }
        });
        for round in 0..300 {
            for number in 0..5 {
                drop(fs::write(inner.join(format!("{round}-{number}")), ""));
            }
            let config = json!({ "folders": [cache.path("cache")], "older_than": "0s" });
            let host = TestHost::new().with_config(config);
            host.advance(Duration::from_secs(100_000 * DAY));
            // A folder that became a link is a problem of the run, and no more.
            drop(block_on(clean_cache(host.context())));
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert!(outside.iter().all(|path| path.exists()));
}
