use std::{path::Path, time::UNIX_EPOCH};

use super::{
    history::History,
    note::{End, LoadMark, RECORD, Who, parse},
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
        how: How::Signal(libc::SIGSEGV),
        doing: Doing::Running,
        when: at(seconds),
        settled: false,
    }
}

fn history(crashes: &[(&str, u64)]) -> History {
    let mut history = History::default();
    crashes.iter().for_each(|(hash, seconds)| history.add(crash(hash, *seconds)));
    history
}

/// A file of records.
fn records(lines: &[&str]) -> Vec<u8> {
    let record = |line: &&str| {
        let mut record = line.as_bytes().to_vec();
        record.resize(RECORD, 0);
        record
    };
    lines.iter().flat_map(record).collect()
}

fn load_mark(boot: &str) -> String {
    let who = Who {
        plugin: "hello".to_owned(),
        hash: "aa".to_owned(),
        file: "/plugins/libhello.so".to_owned(),
    };
    let mark = LoadMark { boot: boot.to_owned(), at: START * 1000, who };
    serde_json::to_string(&mark).unwrap() + "\n"
}

const NOTE_OF_HELLO: &str = r#"{"signal":11,"at":1700000000000,"doing":"running","who":{"plugin":"hello","hash":"aa","file":"/plugins/libhello.so"}}
"#;

#[test]
fn a_note_names_the_plugin_and_what_it_did() {
    assert_eq!(parse(&records(&[NOTE_OF_HELLO]), "b"), End::Crash(crash("aa", 0)));
    let exit = NOTE_OF_HELLO.replace("11", "0").replace("running", "loading");
    let expected = Crash { how: How::Exit, doing: Doing::Loading, ..crash("aa", 0) };
    assert_eq!(parse(&records(&[&exit]), "b"), End::Crash(expected));
}

#[test]
fn a_crash_that_nobody_is_to_blame_for_blames_nobody() {
    let nobody = "{\"signal\":6,\"at\":1700000000000}\n";
    let unexplained = End::Unexplained { signal: libc::SIGABRT };
    assert_eq!(parse(&records(&[nobody]), "b"), unexplained);
    // Not even the plugin that was being loaded meanwhile.
    assert_eq!(parse(&records(&[nobody, &load_mark("b")]), "b"), unexplained);
}

#[test]
fn a_process_that_vanished_during_a_load_died_of_it() {
    let expected = Crash { how: How::Vanished, doing: Doing::Loading, ..crash("aa", 0) };
    assert_eq!(parse(&records(&["", "", &load_mark("b")]), "b"), End::Crash(expected));
}

#[test]
fn a_power_cut_or_a_kill_is_nobodys_fault() {
    assert_eq!(parse(&records(&["", &load_mark("another boot")]), "b"), End::Nothing);
    assert_eq!(parse(&records(&["", ""]), "b"), End::Nothing);
    assert_eq!(parse(b"", "b"), End::Nothing);
    // The host was told to stop at once, while it loaded something.
    let exit = "{\"signal\":0,\"at\":1700000000000}\n";
    assert_eq!(parse(&records(&[exit, &load_mark("b")]), "b"), End::Nothing);
    // Of two that were being loaded, nobody knows which one it was.
    assert_eq!(parse(&records(&["", &load_mark("b"), &load_mark("b")]), "b"), End::Nothing);
}

#[test]
fn a_damaged_note_does_no_harm() {
    for cut in 0..NOTE_OF_HELLO.len() - 1 {
        parse(&records(&[&NOTE_OF_HELLO[..cut]]), "b");
        parse(&NOTE_OF_HELLO.as_bytes()[..cut], "b");
    }
    assert_eq!(parse(&[0xff; 3 * RECORD], "b"), End::Nothing);
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
    often.write(folder.path()).unwrap();
    assert_eq!(History::read(folder.path()).unwrap().crashes(), often.crashes());
    std::fs::write(folder.path().join("crashes.json"), "{").unwrap();
    assert_eq!(History::read(folder.path()).unwrap().crashes(), []);
    assert!(folder.path().join("crashes.damaged.json").exists());
}

#[test]
fn a_thread_of_a_bay_and_an_address_of_its_code_are_known_as_long_as_the_build_is_there() {
    let resident = Resident::loading("hello", "aa", Path::new("/plugins/libhello.so")).unwrap();
    let mark = resident.mark();
    let doing = move || {
        std::thread::spawn(move || {
            mark.enter();
            slots::of_thread().and_then(|slot| slot.doing())
        })
        .join()
        .unwrap()
    };
    assert_eq!(doing(), Some(Doing::Loading));
    assert!(slots::of_code(0xdead_0010).is_none());
    resident.loaded(0xdead_0000..0xdead_1000);
    assert_eq!(doing(), Some(Doing::Running));
    let label: Vec<_> = slots::of_code(0xdead_0010).unwrap().label.bytes().collect();
    assert_eq!(label, b"plugin hello (sha256 aa)");
    drop(resident);
    assert_eq!(doing(), None);
    assert!(slots::of_code(0xdead_0010).is_none());
    assert!(slots::of_thread().is_none());
}
