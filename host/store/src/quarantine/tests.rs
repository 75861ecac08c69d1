use std::{
    fs,
    time::{Duration, UNIX_EPOCH},
};

use tempfile::TempDir;

use super::*;

const FIRST: &str = "aaaaaaaa11111111";
const SECOND: &str = "aaaaaaaa22222222";
const THIRD: &str = "bbbbbbbb33333333";

fn held(hash: &str, plugin: &str) -> QuarantinedBuild {
    QuarantinedBuild {
        hash: hash.to_owned(),
        file: format!("/plugins/lib{plugin}.so").into(),
        plugin: plugin.to_owned(),
        reason: "crashed the probe (SIGSEGV)".to_owned(),
        since: UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        limit: None,
    }
}

/// Two builds of one plugin and one of another.
fn filled() -> (TempDir, Quarantine) {
    let folder = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::open(folder.path().join("state"));
    for (hash, plugin) in [(FIRST, "one"), (SECOND, "one"), (THIRD, "two")] {
        quarantine.add(held(hash, plugin)).unwrap();
    }
    (folder, quarantine)
}

fn hashes(held: &[QuarantinedBuild]) -> Vec<&str> {
    held.iter().map(|held| held.hash.as_str()).collect()
}

#[test]
fn what_is_held_is_found_by_another_process_and_after_a_restart() {
    let (folder, quarantine) = filled();
    let other = Quarantine::open(folder.path().join("state"));
    assert_eq!(other.find(FIRST), Some(held(FIRST, "one")));
    assert_eq!(other.find("cccc"), None);
    assert_eq!(hashes(&quarantine.entries()), [FIRST, SECOND, THIRD]);
    let text = fs::read_to_string(other.file()).unwrap();
    assert!(text.contains("2023-11-14T22:13:20Z"), "{text}");
}

#[test]
fn a_build_is_released_by_its_hash_its_file_or_its_plugin() {
    let ways: [(&str, &[&str]); 6] = [
        (FIRST, &[FIRST]),
        ("aaaaaaaa2", &[SECOND]),
        ("AAAAAAAA1", &[FIRST]),
        ("one", &[FIRST, SECOND]),
        ("libtwo.so", &[THIRD]),
        ("/plugins/libone.so", &[FIRST, SECOND]),
    ];
    for (what, expected) in ways {
        let (_folder, quarantine) = filled();
        let released = quarantine.release(what).unwrap();
        assert_eq!(hashes(&released), expected, "{what}");
        assert_eq!(quarantine.entries().len(), 3 - expected.len(), "{what}");
    }
}

#[test]
fn nothing_is_released_by_a_guess() {
    let (_folder, quarantine) = filled();
    for unknown in ["three", "aaaaa", "", "cccccccc", "libthree.so"] {
        let error = quarantine.release(unknown).unwrap_err();
        assert!(matches!(error, ReleaseError::Unknown(_)), "{unknown}: {error}");
    }
    let error = quarantine.release("aaaaaaaa").unwrap_err().to_string();
    assert!(error.contains(FIRST) && error.contains(SECOND), "{error}");
    assert_eq!(quarantine.entries().len(), 3);
}

#[test]
fn a_build_that_is_held_already_keeps_its_date() {
    let (_folder, quarantine) = filled();
    let later = QuarantinedBuild { since: SystemTime::now(), ..held(FIRST, "one") };
    quarantine.add(later).unwrap();
    assert_eq!(quarantine.find(FIRST), Some(held(FIRST, "one")));
}

#[test]
fn a_damaged_list_is_set_aside_and_the_host_goes_on() {
    let damages: [&[u8]; 4] = [b"", b"{\"held\": [", b"\xff\xfe", b"{\"held\": [{\"hash\": 7}]}"];
    for damage in damages {
        let (folder, quarantine) = filled();
        fs::write(quarantine.file(), damage).unwrap();
        assert_eq!(quarantine.entries(), []);
        let kept = fs::read(folder.path().join("state/quarantine.damaged.json")).unwrap();
        assert_eq!(kept, damage);
        quarantine.add(held(FIRST, "one")).unwrap();
        assert_eq!(hashes(&quarantine.entries()), [FIRST]);
    }
}

#[test]
fn asking_makes_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::open(folder.path().join("state"));
    assert_eq!(quarantine.entries(), []);
    assert!(quarantine.release("anything").is_err());
    assert!(!folder.path().join("state").exists());
}

#[test]
fn many_who_add_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let quarantine = Quarantine::open(folder.path());
            scope.spawn(move || {
                for number in 0..10 {
                    quarantine.add(held(&format!("{thread}-{number}"), "x")).unwrap();
                    assert!(!quarantine.entries().is_empty());
                }
            });
        }
    });
    assert_eq!(Quarantine::open(folder.path()).entries().len(), 40);
}

#[test]
fn the_oldest_give_way_when_there_are_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::open(folder.path());
    let many: Vec<_> = (0..MAX_BUILDS).map(|number| held(&number.to_string(), "x")).collect();
    let list = serde_json::json!({ "held": many });
    fs::write(quarantine.file(), list.to_string()).unwrap();
    quarantine.add(held(FIRST, "one")).unwrap();
    assert_eq!(quarantine.entries().len(), MAX_BUILDS);
    assert!(quarantine.find("0").is_none() && quarantine.find(FIRST).is_some());
}

/// A failure that may have another cause than the build.
fn slow(limit: Duration) -> QuarantinedBuild {
    let reason = format!("did not come up within {limit:?}");
    QuarantinedBuild { reason, limit: Some(limit), ..held(FIRST, "one") }
}

const SECOND_LONG: Duration = Duration::from_secs(1);

#[test]
fn the_same_failure_is_held_against_a_build_when_it_repeats() {
    let folder = tempfile::tempdir().unwrap();
    // Each host has a handle of its own, and the count outlives it.
    let suspect = || Quarantine::open(folder.path()).suspect(slow(SECOND_LONG)).unwrap();
    assert_eq!([suspect(), suspect()], [false, false]);
    assert_eq!(Quarantine::open(folder.path()).find(FIRST), None);
    assert!(suspect());
    let held = Quarantine::open(folder.path()).find(FIRST).unwrap();
    assert!(held.reason.contains("within 1s, several times"), "{}", held.reason);
    assert_eq!(held.limit, Some(SECOND_LONG));
}

#[test]
fn another_failure_or_a_success_begins_a_new_row() {
    let folder = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::open(folder.path());
    let killed = || QuarantinedBuild { reason: "was killed".to_owned(), ..slow(SECOND_LONG) };
    for _ in 0..4 {
        assert!(!quarantine.suspect(slow(SECOND_LONG)).unwrap());
        assert!(!quarantine.suspect(killed()).unwrap());
    }
    quarantine.suspect(killed()).unwrap();
    quarantine.clear(FIRST).unwrap();
    assert!(!quarantine.suspect(killed()).unwrap());
}

#[test]
fn a_build_that_passes_under_a_longer_limit_is_released_and_one_that_fails_again_is_held() {
    let folder = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::open(folder.path());
    for _ in 0..3 {
        quarantine.suspect(slow(SECOND_LONG)).unwrap();
    }
    assert!(quarantine.suspect(slow(SECOND_LONG * 2)).unwrap());
    let held = quarantine.entries();
    assert_eq!((held.len(), held[0].limit), (1, Some(SECOND_LONG * 2)));
    quarantine.clear(FIRST).unwrap();
    assert_eq!(quarantine.entries(), []);
}

#[test]
fn a_question_about_an_unknown_build_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::open(folder.path().join("state"));
    quarantine.clear(FIRST).unwrap();
    assert!(!folder.path().join("state").exists());
}
