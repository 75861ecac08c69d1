use std::{
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use super::{
    record::{BuildId, LastExit, LoadRecord, RECORD_BYTES, parse},
    *,
};

const START: u64 = 1_700_000_000;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(START + seconds)
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

/// A file of records.
fn records(lines: &[&str]) -> Vec<u8> {
    let record = |line: &&str| {
        let mut record = line.as_bytes().to_vec();
        record.resize(RECORD_BYTES, 0);
        record
    };
    lines.iter().flat_map(record).collect()
}

fn load_record(boot: &str) -> String {
    let who = BuildId {
        plugin: "hello".to_owned(),
        hash: "aa".to_owned(),
        file: "/plugins/libhello.so".to_owned(),
    };
    let record = LoadRecord { boot: boot.to_owned(), at: START * 1000, who };
    serde_json::to_string(&record).unwrap() + "\n"
}

const NOTE_OF_HELLO: &str = r#"{"signal":11,"at":1700000000000,"doing":"running","who":{"plugin":"hello","hash":"aa","file":"/plugins/libhello.so"}}
"#;

#[test]
fn a_note_names_the_plugin_and_what_it_did() {
    assert_eq!(parse(&records(&[NOTE_OF_HELLO]), "b"), LastExit::Crash(crash("aa", 0)));
    let exit = NOTE_OF_HELLO.replace("11", "0").replace("running", "loading");
    let expected = Crash { how: Termination::Exit, doing: Phase::Loading, ..crash("aa", 0) };
    assert_eq!(parse(&records(&[&exit]), "b"), LastExit::Crash(expected));
}

#[test]
fn a_crash_that_nobody_is_to_blame_for_blames_nobody() {
    let nobody = "{\"signal\":6,\"at\":1700000000000}\n";
    let unexplained = LastExit::Unattributed { signal: libc::SIGABRT };
    assert_eq!(parse(&records(&[nobody]), "b"), unexplained);
    // Not even the plugin that was being loaded meanwhile.
    assert_eq!(parse(&records(&[nobody, &load_record("b")]), "b"), unexplained);
}

#[test]
fn a_process_that_vanished_during_a_load_died_of_it() {
    let expected = Crash { how: Termination::Vanished, doing: Phase::Loading, ..crash("aa", 0) };
    assert_eq!(parse(&records(&["", "", &load_record("b")]), "b"), LastExit::Crash(expected));
}

#[test]
fn a_power_cut_or_a_kill_is_nobodys_fault() {
    assert_eq!(parse(&records(&["", &load_record("another boot")]), "b"), LastExit::Clean);
    assert_eq!(parse(&records(&["", ""]), "b"), LastExit::Clean);
    assert_eq!(parse(b"", "b"), LastExit::Clean);
    // The host was told to stop at once, while it loaded something.
    let exit = "{\"signal\":0,\"at\":1700000000000}\n";
    assert_eq!(parse(&records(&[exit, &load_record("b")]), "b"), LastExit::Told);
    // Of two that were being loaded, nobody knows which one it was.
    assert_eq!(parse(&records(&["", &load_record("b"), &load_record("b")]), "b"), LastExit::Clean);
}

#[test]
fn a_damaged_note_does_no_harm() {
    for cut in 0..NOTE_OF_HELLO.len() - 1 {
        parse(&records(&[&NOTE_OF_HELLO[..cut]]), "b");
        parse(&NOTE_OF_HELLO.as_bytes()[..cut], "b");
    }
    assert_eq!(parse(&[0xff; 3 * RECORD_BYTES], "b"), LastExit::Clean);
}

#[test]
fn a_thread_of_a_bay_and_an_address_of_its_code_are_known_as_long_as_the_build_is_there() {
    let guard = SlotGuard::loading("hello", "aa", Path::new("/plugins/libhello.so")).unwrap();
    let id = guard.id();
    let doing = move || {
        std::thread::spawn(move || {
            id.enter();
            slots::of_thread().and_then(|slot| slot.phase())
        })
        .join()
        .unwrap()
    };
    assert_eq!(doing(), Some(Phase::Loading));
    assert!(slots::of_code(0xdead_0010).is_none());
    guard.loaded(0xdead_0000..0xdead_1000);
    assert_eq!(doing(), Some(Phase::Running));
    let label: Vec<_> = slots::of_code(0xdead_0010).unwrap().label.bytes().collect();
    assert_eq!(label, b"plugin hello (sha256 aa)");
    drop(guard);
    assert_eq!(doing(), None);
    assert!(slots::of_code(0xdead_0010).is_none());
    assert!(slots::of_thread().is_none());
}
