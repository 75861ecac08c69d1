//! Settling, second by second, without a file system.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::{Duration, Instant, SystemTime},
};

use proptest::prelude::*;

use super::*;

const SETTLE: Duration = Duration::from_millis(300);

/// A settler, and a clock that moves when it is told to.
struct Bench {
    settler: Settler,
    now: Instant,
    scan: Scan,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        let scan = Scan {
            started: SystemTime::now(),
            folder: FolderState::Present,
            found: BTreeMap::new(),
            unsure: BTreeSet::new(),
            files: BTreeSet::new(),
        };
        Self { settler: Settler::new(SETTLE, now), now, scan }
    }

    fn library(name: &str) -> Key {
        Key::Library(PathBuf::from(name))
    }

    /// A file was just written.
    fn write(&mut self, name: &str, number: u64) {
        let stamp = Stamp::numbered(number, self.scan.started);
        self.scan.found.insert(Self::library(name), stamp);
    }

    fn remove(&mut self, name: &str) {
        self.scan.found.remove(&Self::library(name));
    }

    /// Looks; files are read as `content` says.
    fn turn_with(&mut self, content: impl Fn(&Key) -> Option<Content>) -> Option<Snapshot> {
        self.settler.observe(&self.scan, self.now);
        for (key, _) in self.settler.due(self.now) {
            self.settler.judge(&key, content(&key), self.now);
        }
        self.settler.publish(self.now)
    }

    fn turn(&mut self) -> Option<Snapshot> {
        self.turn_with(|_| Some(Content::Sha256("hash".to_owned())))
    }

    fn pass(&mut self, millis: u64) -> &mut Self {
        let span = Duration::from_millis(millis);
        self.now += span;
        self.scan.started += span;
        self
    }
}

fn names(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.libraries.keys().map(|path| path.to_str().unwrap()).collect()
}

#[test]
fn an_empty_folder_is_shown_at_once() {
    let first = Bench::new().turn().unwrap();
    assert_eq!((first.folder, first.libraries.len()), (FolderState::Present, 0));
}

#[test]
fn an_old_file_is_shown_at_once_and_a_fresh_one_when_it_has_settled() {
    let mut old = Bench::new();
    old.write("old", 1);
    old.scan.started += Duration::from_secs(10);
    assert_eq!(names(&old.turn().unwrap()), ["old"]);

    let mut fresh = Bench::new();
    fresh.write("fresh", 1);
    assert_eq!(fresh.turn(), None);
    assert_eq!(fresh.pass(299).turn(), None);
    assert_eq!(names(&fresh.pass(1).turn().unwrap()), ["fresh"]);
}

#[test]
fn a_file_with_a_time_in_the_future_has_to_settle() {
    let mut bench = Bench::new();
    bench.scan.started += Duration::from_secs(100);
    bench.write("future", 1);
    bench.scan.started -= Duration::from_secs(100);
    assert_eq!(bench.turn(), None);
    assert_eq!(names(&bench.pass(300).turn().unwrap()), ["future"]);
}

#[test]
fn a_file_that_goes_on_changing_is_shown_as_it_was() {
    let mut bench = Bench::new();
    bench.write("x", 1);
    bench.turn();
    let before = bench.pass(300).turn().unwrap();
    for number in 2..20 {
        bench.write("x", number);
        assert_eq!(bench.pass(250).turn(), None);
    }
    let after = bench.pass(300).turn().unwrap();
    assert_ne!(before.libraries, after.libraries);
}

#[test]
fn a_file_that_is_gone_for_a_moment_was_never_gone() {
    let mut bench = Bench::new();
    bench.write("x", 1);
    bench.turn();
    bench.pass(300).turn().unwrap();
    bench.remove("x");
    assert_eq!(bench.pass(250).turn(), None);
    bench.write("x", 2);
    assert_eq!(bench.pass(250).turn(), None);
    assert_eq!(names(&bench.pass(300).turn().unwrap()), ["x"]);
}

#[test]
fn a_folder_that_is_missing_for_a_moment_was_never_missing() {
    let mut bench = Bench::new();
    bench.write("x", 1);
    bench.turn();
    bench.pass(300).turn().unwrap();
    let found = std::mem::take(&mut bench.scan.found);
    bench.scan.folder = FolderState::Missing;
    assert_eq!(bench.pass(10).turn(), None);
    bench.scan = Scan { folder: FolderState::Present, found, ..bench.scan.clone() };
    assert_eq!(bench.pass(200).turn(), None);
    assert_eq!(bench.pass(1000).turn(), None);
}

#[test]
fn a_folder_that_can_not_be_read_keeps_what_it_held() {
    let mut bench = Bench::new();
    bench.write("x", 1);
    bench.turn();
    bench.pass(300).turn().unwrap();
    bench.remove("x");
    bench.scan.folder = FolderState::Unreadable("too many open files".to_owned());
    bench.pass(10).turn();
    let snapshot = bench.pass(300).turn().unwrap();
    assert!(matches!(snapshot.folder, FolderState::Unreadable(_)));
    assert_eq!(names(&snapshot), ["x"]);
}

#[test]
fn files_that_change_together_are_shown_together() {
    let mut bench = Bench::new();
    bench.turn();
    bench.write("a", 1);
    assert_eq!(bench.pass(10).turn(), None);
    bench.write("b", 2);
    assert_eq!(bench.pass(200).turn(), None);
    // `a` has settled, `b` is about to.
    assert_eq!(bench.pass(150).turn(), None);
    assert_eq!(names(&bench.pass(150).turn().unwrap()), ["a", "b"]);
}

#[test]
fn nobody_waits_for_long_for_a_file_that_never_settles() {
    let mut bench = Bench::new();
    bench.turn();
    bench.write("done", 0);
    let mut shown = None;
    for number in 1..10 {
        bench.write("endless", number);
        shown = shown.or(bench.pass(100).turn());
    }
    assert_eq!(names(&shown.expect("it is shown")), ["done"]);
}

#[test]
fn an_incomplete_library_waits_for_its_writer_and_is_named_in_the_end() {
    let incomplete = |_: &Key| Some(Content::Incomplete("half".to_owned()));
    let mut bench = Bench::new();
    bench.turn();
    bench.write("half", 1);
    bench.pass(10).turn_with(incomplete);
    assert_eq!(bench.pass(300).turn_with(incomplete), None);
    assert_eq!(bench.pass(29_000).turn_with(incomplete), None);
    let snapshot = bench.pass(1000).turn_with(incomplete).unwrap();
    let content = snapshot.libraries.values().next().unwrap().content();
    assert_eq!(content, &Content::Incomplete("half".to_owned()));
    // And it is not too late to finish it.
    bench.write("half", 2);
    assert_eq!(bench.pass(10).turn(), None);
    let snapshot = bench.pass(300).turn().unwrap();
    assert_eq!(snapshot.libraries.values().next().unwrap().sha256(), Some("hash"));
}

#[test]
fn a_file_that_changes_while_it_is_read_settles_again() {
    let mut bench = Bench::new();
    bench.turn();
    bench.write("x", 1);
    bench.pass(10).turn();
    assert_eq!(bench.pass(300).turn_with(|_| None), None);
    assert_eq!(bench.pass(200).turn(), None);
    assert_eq!(names(&bench.pass(100).turn().unwrap()), ["x"]);
}

/// What happens in one step of a random story: a file gets another stamp or goes, then time
/// passes.
fn steps() -> impl Strategy<Value = Vec<(u8, Option<u64>, u64)>> {
    let step = (0..3u8, proptest::option::weighted(0.7, 1..1000u64), 1..400u64);
    proptest::collection::vec(step, 1..40)
}

proptest! {
    #[test]
    fn what_is_shown_stood_for_long_enough_and_in_the_end_it_is_the_truth(steps in steps()) {
        let mut bench = Bench::new();
        bench.turn();
        let mut since: BTreeMap<PathBuf, (Option<Stamp>, Instant)> = BTreeMap::new();
        let mut last = None;
        for (file, stamp, millis) in steps {
            let name = file.to_string();
            match stamp {
                Some(number) => bench.write(&name, number),
                None => bench.remove(&name),
            }
            let now = bench.now;
            let current = bench.scan.found.get(&Bench::library(&name)).copied();
            let known = since.entry(PathBuf::from(&name)).or_insert((None, now));
            if known.0 != current {
                *known = (current, now);
            }
            let at_once = bench.turn();
            let later = bench.pass(millis).turn();
            for snapshot in at_once.into_iter().chain(later) {
                prop_assert_ne!(last.as_ref(), Some(&snapshot));
                for (path, fingerprint) in &snapshot.libraries {
                    let (stamp, at) = since[path];
                    let is_current = stamp == Some(fingerprint.stamp);
                    let was_shown = last.as_ref().is_some_and(|last: &Snapshot| {
                        last.libraries.get(path) == Some(fingerprint)
                    });
                    prop_assert!(was_shown || is_current && bench.now - at >= SETTLE);
                }
                last = Some(snapshot);
            }
        }
        // However it went, twice the settle time later the truth is shown.
        for _ in 0..2 {
            last = bench.pass(300).turn().or(last);
        }
        let shown: BTreeMap<_, _> = last.iter().flat_map(|it| &it.libraries)
            .map(|(path, it)| (Key::Library(path.clone()), it.stamp)).collect();
        prop_assert_eq!(shown, bench.scan.found);
    }

    #[test]
    fn it_never_asks_to_be_woken_for_nothing(steps in steps()) {
        let mut bench = Bench::new();
        for (file, stamp, millis) in steps {
            match stamp {
                Some(number) => bench.write(&file.to_string(), number),
                None => bench.remove(&file.to_string()),
            }
            bench.turn();
            if let Some(next) = bench.settler.next() {
                prop_assert!(next > bench.now);
            }
            bench.pass(millis);
        }
    }
}
