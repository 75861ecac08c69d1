//! What a host knows of its tasks and runs after it was stopped, or killed.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use hotbay_store::{
    sqlite::SqliteStore,
    store::{Batch, Durability, HostInfo, Record, RunCause, RunId, Skip, Store as _, TaskChange},
};
use hotbay_tests::{ConfigFile, PluginsFolder, Run, Running, Schedules, Signal, until};
use jiff::{SignedDuration, Timestamp, Unit};
use serde_json::Value;

/// Returns the file of the store.
fn store(place: &Schedules) -> PathBuf {
    place.config().state_folder().join("hotbay.db")
}

/// Returns what is known of a run.
fn run_of(place: &Schedules, run: &Value) -> Value {
    let runs = place.json("history", &[]);
    let runs = runs.as_array().expect("a list");
    runs.iter().find(|it| it["run"] == *run).cloned().expect("the run is known")
}

fn stop(running: Running) {
    drop(running.stop().expect_code(0));
}

#[test]
fn what_became_of_runs_is_known_after_a_restart_with_results_logs_and_counts() {
    let place = Schedules::with(&[], "");
    let first = place.start();
    let sum = ["adds", "--arguments", "{\"terms\": [20, 22]}", "--wait"];
    let run = place.json("run", &sum)[0]["run"].clone();
    let said = place.json("run", &["waits"])[0]["run"].clone();
    first.wait_for_log("waits: ");
    drop(place.task("cancel", &[&said.to_string()]).expect_code(0));
    until("it is cancelled", || (run_of(&place, &said)["state"] == "cancelled").then_some(()));
    drop(place.task("pause", &["waits"]).expect_code(0));
    drop(place.task("disable", &["adds"]).expect_code(0));
    stop(first);
    let second = place.start();
    assert_eq!(run_of(&place, &run)["result"], 42);
    assert_eq!(run_of(&place, &said)["state"], "cancelled");
    let log = [PathBuf::from("run-log"), place.config().path(), said.to_string().into()];
    let log = Run::new(log).finish().expect_code(0).stdout;
    assert!(log.contains(&format!("waits: schedules/waits/{said} attempt 1")), "{log}");
    let (adds, waits) = (place.json("show", &["adds"]), place.json("show", &["waits"]));
    assert_eq!(
        (&adds["task"]["state"], &waits["task"]["state"]),
        (&"disabled".into(), &"paused".into())
    );
    assert_eq!(adds["task"]["counts"]["succeeded"], 1);
    assert_eq!(waits["task"]["counts"]["cancelled"], 1);
    drop(place.task("enable", &["adds"]).expect_code(0));
    let again = place.json("run", &sum)[0]["run"].as_u64();
    assert!(again > said.as_u64(), "a number is given once");
    stop(second);
}

#[test]
fn a_run_that_was_under_way_when_the_host_was_killed_is_marked_and_begins_again() {
    let place = Schedules::with(&[], "");
    let killed = place.start();
    let run = place.json("run", &["waits"])[0]["run"].clone();
    killed.wait_for_log("waits: ");
    killed.signal(Signal::Kill);
    drop(killed.wait());
    let second = place.start();
    second.wait_for_log("was under way when the host before ended");
    second.wait_for_log(&format!("waits: schedules/waits/{run} attempt 1"));
    let known = run_of(&place, &run);
    assert_eq!((&known["state"], &known["crashes"]), (&"running".into(), &1.into()), "{known}");
    // A host that stops in order interrupts it.
    stop(second);
    let third = place.start();
    third.wait_for_log(&format!("waits: schedules/waits/{run} attempt 1"));
    let known = run_of(&place, &run);
    assert_eq!((&known["interruptions"], &known["crashes"]), (&1.into(), &1.into()), "{known}");
    drop(place.task("cancel", &[&run.to_string()]).expect_code(0));
    stop(third);
}

#[test]
fn a_run_that_ends_the_host_again_and_again_is_parked_and_the_host_stays_up() {
    let place = Schedules::with(&[], "");
    let mut host = place.start();
    let run = place.json("run", &["waits"])[0]["run"].clone();
    for _ in 0..3 {
        host.wait_for_log("waits: ");
        host.signal(Signal::Kill);
        drop(host.wait());
        host = place.start();
    }
    until("it is parked", || (run_of(&place, &run)["state"] == "parked").then_some(()));
    stop(host);
}

#[test]
fn an_interval_is_counted_from_where_it_was_when_the_host_starts_again() {
    let place =
        Schedules::with(&["beside"], "  - { plugin: schedules, task: beside, interval: 1h }\n");
    let first = place.start();
    first.wait_for_log("beside: ");
    let due = place.json("next", &["beside", "--count", "1"])["times"][0].clone();
    stop(first);
    let second = place.start();
    assert_eq!(place.json("next", &["beside", "--count", "1"])["times"][0], due);
    assert!(!second.stderr().contains("beside: "), "it is not due: {}", second.stderr());
    stop(second);
}

#[test]
fn a_schedule_goes_on_if_the_clock_was_set_back_by_days_while_no_host_ran() {
    let place = Schedules::with(&["ticks"], "");
    let first = place.start();
    first.wait_for_log("ticks: ");
    stop(first);
    // What a host has stored whose clock is a month ahead: each time of the next minutes is past.
    let store = SqliteStore::open(&place.config().state_folder()).expect("it can be opened");
    let lease = Duration::from_secs(600);
    let epoch = store.open_epoch(&HostInfo::this(), lease).expect("no host runs");
    let now = Timestamp::now().round(Unit::Second).expect("it is a time");
    let next = store.next_run_id().expect("it can be read").0;
    let past = (0..600).map(|number| {
        let cause = RunCause::Time(now + SignedDuration::from_secs(number));
        let (run, reason) = (RunId(next + number.unsigned_abs()), "paused".to_owned());
        let (task, at) = ("schedules/ticks".into(), now);
        Record::Skipped(Box::new(Skip { run, task, cause, at, reason, by: None, count: 1 }))
    });
    let change = TaskChange::Cursor(now + SignedDuration::from_hours(30 * 24));
    let cursor = Record::Task { task: "schedules/ticks".into(), change };
    let batch = Batch { records: past.chain([cursor]).collect(), durability: Durability::Fsync };
    store.write_and_wait(epoch, batch).expect("it can be written");
    store.close_epoch(epoch).expect("it can be written");
    drop(store);
    let second = place.start();
    second.wait_for_log("ticks: ");
    stop(second);
}

#[test]
fn a_damaged_store_keeps_its_tasks_from_running_and_the_host_stays_up() {
    let place = Schedules::with(&["ticks"], "");
    stop(place.start());
    fs::write(store(&place), b"this is no database").expect("it can be written");
    let running = place.start();
    running.wait_for_log("hotbay.db is damaged");
    assert_eq!(place.json("show", &["ticks"])["task"]["state"], "held");
    let refused = place.task("run", &["waits"]).expect_code(2);
    refused.expect_stderr(&["nothing can be stored now", "hotbay.db is damaged", "backup"]);
    stop(running);
}

#[test]
fn a_store_that_a_newer_program_has_written_is_refused_with_both_versions() {
    let place = Schedules::with(&[], "");
    stop(place.start());
    // What is in it would be read instead of what is written below.
    drop(fs::remove_file(store(&place).with_extension("db-wal")));
    let mut bytes = fs::read(store(&place)).expect("it can be read");
    // SQLite keeps the version of the application's schema here, as a big-endian number.
    bytes[60..64].copy_from_slice(&77u32.to_be_bytes());
    fs::write(store(&place), &bytes).expect("it can be written");
    let ended = Run::config(place.config().path()).finish().expect_code(1);
    ended.expect_stderr(&["hotbay.db has version 77", "knows versions up to"]);
    assert!(fs::read(store(&place)).expect("it can be read") == bytes, "it is as it was");
}

#[test]
fn a_store_is_copied_while_its_host_runs_and_the_doctor_examines_it() {
    let place = Schedules::with(&[], "");
    let running = place.start();
    let sum = ["adds", "--arguments", "{\"terms\": [20, 22]}", "--wait"];
    let run = place.json("run", &sum)[0]["run"].clone();
    let copy = place.config().state_folder().join("copy.db");
    let backup = |to: &PathBuf| {
        Run::new([PathBuf::from("backup"), place.config().path(), to.clone()]).finish()
    };
    drop(backup(&copy).expect_code(0));
    backup(&copy).expect_code(2).expect_stderr(&["copy.db exists; name a file that does not"]);
    for (file, reason) in [
        (copy.clone(), "hotbay: "),
        ("/nowhere/b.db".into(), "hotbay: /nowhere/b.db can't be written: its folder is not there"),
        ("/".into(), "hotbay: / can't be written: it is a folder; name a file in it"),
    ] {
        let said = backup(&file).expect_code(2).stderr;
        assert!(said.starts_with(reason) && said.lines().count() == 1, "{said}");
        assert!(!said.contains("nothing can be stored"), "{said}");
    }
    let doctor = || Run::new([PathBuf::from("doctor"), place.config().path()]).finish();
    let said = doctor().expect_code(0).stdout;
    assert!(said.contains("ok     store: ") && said.contains("it runs, as process"), "{said}");
    stop(running);
    drop(fs::remove_file(store(&place).with_extension("db-wal")));
    fs::rename(&copy, store(&place)).expect("it can be moved");
    let again = place.start();
    assert_eq!(run_of(&place, &run)["result"], 42);
    stop(again);
    fs::write(store(&place), b"this is no database").expect("it can be written");
    let said = doctor().expect_code(1).stdout;
    assert!(said.contains("FAULT  store: ") && said.contains("is damaged"), "{said}");
}

#[test]
fn the_doctor_answers_wrong_paths_and_missing_plugins_with_code_and_remedy() {
    let doctor = |config: &Path| Run::new(["doctor".as_ref(), config.as_os_str()]).finish();
    let missing = doctor("missing.yaml".as_ref()).expect_code(2);
    assert_eq!(missing.stderr, "missing.yaml: there is no such file; check the path\n");
    assert_eq!(missing.stdout, "");
    let folder = PluginsFolder::with(&[]);
    let file = folder.write("file", b"");
    let wrong = ConfigFile::new(&folder, &format!("state_folder: {}/inner\n", file.display()));
    let said = doctor(&wrong.path()).expect_code(1).stdout;
    let fault = format!("FAULT  state folder: {} is no folder; name another one", file.display());
    assert!(said.contains(&fault) && !said.contains("store: "), "{said}");
    let elsewhere = ConfigFile::verbatim("plugins: { folder: nowhere }\n");
    let ended = doctor(&elsewhere.path()).expect_code(1);
    ended.expect_stderr(&["nowhere can't be read", "make the folder"]);
}

#[test]
fn while_nothing_can_be_stored_no_run_is_accepted_and_the_host_goes_on_by_itself() {
    let place = Schedules::with(&[], "");
    let running = place.start();
    let sum = ["adds", "--arguments", "{\"terms\": [20, 22]}", "--wait"];
    drop(place.task("run", &sum).expect_code(0));
    let away = place.config().state_folder().join("away");
    fs::rename(store(&place), &away).expect("it can be moved");
    // The host finds out by this one, whose answer waits until it is stored.
    let first = place.call("run", &sum).start();
    running.wait_for_log("tasks that are to be stored begin nothing new");
    let refused = place.task("run", &["waits"]).expect_code(2);
    refused.expect_stderr(&["nothing can be stored now", "its file was removed or replaced"]);
    assert_eq!(place.json("show", &["waits"])["task"]["state"], "held");
    fs::rename(&away, store(&place)).expect("it can be moved");
    running.wait_for_log("tasks and runs are stored again");
    assert!(first.wait().expect_code(0).stdout.contains("succeeded"));
    assert_eq!(place.json("show", &["waits"])["task"]["state"], "active");
    assert_eq!(place.json("show", &["adds"])["task"]["counts"]["succeeded"], 2);
    stop(running);
}

#[test]
fn a_store_that_is_mended_while_the_host_runs_is_used_as_if_it_had_been_there_at_the_start() {
    let place =
        Schedules::with(&[], "  - { plugin: schedules, task: notes, durability: memory }\n");
    let killed = place.start();
    drop(place.task("run", &["adds", "--arguments", "{\"terms\": [1]}", "--wait"]).expect_code(0));
    drop(place.task("pause", &["adds"]).expect_code(0));
    let run = place.json("run", &["waits"])[0]["run"].clone();
    killed.wait_for_log("waits: ");
    killed.signal(Signal::Kill);
    drop(killed.wait());
    let files = ["db", "db-wal", "db-shm"].map(|end| store(&place).with_extension(end));
    let away = files.each_ref().map(|file| {
        let name = file.file_name().expect("it has a name").to_string_lossy().into_owned();
        let away = file.with_file_name(format!("away-{name}"));
        fs::rename(file, &away).expect("it can be moved");
        away
    });
    fs::write(store(&place), b"this is no database").expect("it can be written");
    let second = place.start();
    second.wait_for_log("hotbay.db is damaged");
    assert_eq!(place.json("show", &["waits"])["task"]["state"], "held");
    // What is kept in memory runs meanwhile, under numbers that no stored run has.
    let book = place.config().path().with_file_name("book");
    let arguments = format!("{{\"file\": \"{}\"}}", book.display());
    let kept = place.json("run", &["notes", "--arguments", &arguments, "--wait"]);
    assert!(kept[0]["run"].as_u64() > run.as_u64().map(|run| run + 1_000), "{kept}");
    for (away, file) in away.iter().zip(&files) {
        fs::rename(away, file).expect("it can be moved");
    }
    second.wait_for_log("the store is open");
    second.wait_for_log("was under way when the host before ended");
    second.wait_for_log(&format!("waits: schedules/waits/{run} attempt 1"));
    let known = run_of(&place, &run);
    assert_eq!((&known["state"], &known["crashes"]), (&"running".into(), &1.into()), "{known}");
    let adds = place.json("show", &["adds"]);
    assert_eq!(
        (&adds["task"]["state"], &adds["task"]["counts"]["succeeded"]),
        (&"paused".into(), &1.into())
    );
    drop(place.task("resume", &["adds"]).expect_code(0));
    let again = place.json("run", &["adds", "--arguments", "{\"terms\": [2]}", "--wait"]);
    assert_eq!(again[0]["run"].as_u64(), run.as_u64().map(|run| run + 1), "a number is given once");
    assert_eq!(place.history("notes").len(), 1);
    drop(place.task("cancel", &[&run.to_string()]).expect_code(0));
    stop(second);
    let third = place.start();
    assert_eq!(place.json("show", &["adds"])["task"]["counts"]["succeeded"], 2);
    stop(third);
}

#[test]
fn no_more_runs_are_kept_than_the_history_says() {
    let place = Schedules::with(&[], "history: { max_runs: 3, keep_at_least: 2 }\n");
    let first = place.start();
    for term in 0..5 {
        let sum = format!("{{\"terms\": [{term}]}}");
        drop(place.task("run", &["adds", "--arguments", &sum, "--wait"]).expect_code(0));
    }
    stop(first);
    let second = place.start();
    let kept = || {
        let runs = place.json("history", &[]);
        runs.as_array().map(|runs| runs.iter().map(|it| it["result"].clone()).collect::<Vec<_>>())
    };
    until("the oldest runs are removed", || (kept()? == [4, 3, 2]).then_some(()));
    assert_eq!(place.json("show", &["adds"])["task"]["counts"]["succeeded"], 5);
    stop(second);
}

#[test]
fn a_run_under_way_in_a_host_that_was_told_twice_to_stop_was_interrupted_and_did_not_crash_it() {
    // A sync run that hears of no stop.
    let entry = "  - { plugin: schedules, task: deaf, interval: 1h, timeout: none }\n";
    let place = Schedules::with(&["deaf"], &format!("{entry}shutdown: {{ drain: 1m }}\n"));
    let first = place.start();
    first.wait_for_log("deaf begins: ");
    first.signal(Signal::Terminate);
    first.wait_for_log("stopping");
    first.signal(Signal::Interrupt);
    drop(first.wait().expect_code(130));
    let second = place.start();
    second.wait_for_log("was under way when the host before ended");
    let known = place.history("deaf").pop().expect("the run is known");
    assert_eq!((&known["interruptions"], &known["crashes"]), (&1.into(), &0.into()), "{known}");
    // The run is repeated, and the stop waits for it.
    stop(second);
}

#[test]
fn tasks_that_are_to_be_stored_run_once_the_state_folder_can_be_used() {
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let around = elsewhere.path().join("around");
    fs::write(&around, b"no folder").expect("it can be written");
    let state = around.join("state");
    let place = Schedules::with(&["ticks"], &format!("state_folder: {}\n", state.display()));
    let running = Run::config(place.config().path()).log("info").start();
    running.wait_for_log("tasks that are to be stored do not run");
    running.wait_for_log("a task is scheduled");
    fs::remove_file(&around).expect("it can be removed");
    fs::create_dir(&around).expect("it can be made");
    running.wait_for_log("the store is open");
    running.wait_for_log("ticks: schedules/ticks/");
    let log = running.stop().expect_code(0).stderr;
    let (before, _) = log.split_once("the store is open").expect("it was opened");
    assert!(!before.contains("ticks: schedules/ticks/"), "{before}");
    assert!(state.join("hotbay.db").is_file());
}
