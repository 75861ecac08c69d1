use std::time::{Duration, UNIX_EPOCH};

use hotbay_access::{CheckedFolder, Missing};

use super::*;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

fn crash(hash: &str, seconds: u64) -> Crash {
    Crash {
        plugin: "hello".to_owned(),
        hash: hash.to_owned(),
        file: "/plugins/libhello.so".into(),
        how: Termination::Signal(libc::SIGSEGV),
        doing: Phase::Running,
        when: at(seconds),
        settled: false,
    }
}

fn history(crashes: &[(&str, u64)]) -> CrashHistory {
    let mut history = CrashHistory::default();
    crashes.iter().for_each(|(hash, seconds)| history.add(crash(hash, *seconds)));
    history
}

#[test]
fn three_crashes_in_five_minutes_are_too_many() {
    let often = history(&[("aa", 0), ("bb", 10), ("aa", 100), ("aa", 300), ("bb", 301)]);
    assert_eq!(often.suspects(at(300)), [crash("aa", 300)]);
    // The first one is more than five minutes ago then.
    assert_eq!(often.suspects(at(301)), []);
    assert_eq!(history(&[("aa", 0), ("aa", 1)]).suspects(at(2)), []);
}

#[test]
fn crashes_count_although_the_clock_was_set_back() {
    let future = history(&[("aa", 1000), ("aa", 1001), ("aa", 1002)]);
    assert_eq!(future.suspects(at(0)), [crash("aa", 1002)]);
}

#[test]
fn a_build_is_not_judged_twice_for_the_same_crashes() {
    let mut often = history(&[("aa", 0), ("aa", 1), ("aa", 2)]);
    often.settle("aa");
    assert_eq!(often.suspects(at(3)), []);
    often.add(crash("aa", 3));
    assert_eq!(often.suspects(at(3)), []);
    often.add(crash("aa", 4));
    often.add(crash("aa", 5));
    assert_eq!(often.suspects(at(5)), [crash("aa", 5)]);
}

#[test]
fn a_damaged_history_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let often = history(&[("aa", 0), ("aa", 1)]);
    let checked = CheckedFolder::private(folder.path(), Missing::IsAnError).unwrap();
    often.write(&checked).unwrap();
    assert_eq!(CrashHistory::read(&checked).unwrap().crashes(), often.crashes());
    std::fs::write(folder.path().join("crashes.json"), "{").unwrap();
    assert_eq!(CrashHistory::read(&checked).unwrap().crashes(), []);
    assert!(folder.path().join("crashes.damaged.json").exists());
}
