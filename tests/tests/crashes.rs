//! Which plugin brought the host down is said at the next start; three times are too many.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{ffi::OsStr, fs, os::unix::process::ExitStatusExt};

use hotbay_tests::{ConfigFile, Ended, PluginsFolder, Run, Signal};
use serde_json::Value;

const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;
const SIGSEGV: i32 = 11;

/// A host whose task brings it down in this way.
fn faulty(plugins: &PluginsFolder, fault: &str) -> ConfigFile {
    let task = format!("{{ plugin: crashes, task: crash, config: {{ fault: {fault} }} }}");
    ConfigFile::new(plugins, &format!("tasks: [{task}]"))
}

/// A host with the same plugin that does nothing.
fn harmless(plugins: &PluginsFolder) -> ConfigFile {
    let off = "{ plugin: crashes, task: crash, enabled: false }";
    ConfigFile::new(plugins, &format!("tasks: [{off}, {{ plugin: hello, task: heartbeat }}]"))
}

/// The crashes that a host remembers, after a start in which it ended well.
fn remembered(config: &ConfigFile) -> Vec<Value> {
    let file = config.path().with_file_name(".hotbay").join("hotbay/crashes.json");
    let Ok(text) = fs::read(file) else { return Vec::new() };
    let history: Value = serde_json::from_slice(&text).unwrap();
    history["crashes"].as_array().unwrap().clone()
}

/// Starts a host that is to go on running, stops it, and gives what it said.
fn run_and_stop(config: &ConfigFile) -> Ended {
    run_until(config, "loaded plugin=")
}

/// Runs a host until its log has this text, and stops it.
fn run_until(config: &ConfigFile, text: &str) -> Ended {
    let host = Run::config(config.path()).log("info").start();
    host.wait_for_log(text);
    host.signal(Signal::Terminate);
    host.wait().expect_code(0)
}

/// Exchanges a configuration for another one in the same place.
fn become_harmless(config: &ConfigFile, plugins: &PluginsFolder) {
    fs::copy(harmless(plugins).path(), config.path()).unwrap();
}

/// Crashes in this way, and says how the process ended and what the next start says.
fn crash_and_restart(fault: &str) -> (Ended, Ended, Vec<Value>) {
    let plugins = PluginsFolder::with(&["crashes"]);
    let config = faulty(&plugins, fault);
    let crashed = Run::config(config.path()).finish();
    become_harmless(&config, &plugins);
    let next = run_and_stop(&config);
    let remembered = remembered(&config);
    (crashed, next, remembered)
}

#[test]
fn a_plugin_that_crashes_the_host_is_named_at_once_and_at_the_next_start() {
    let faults = [
        ("read", SIGSEGV, "SIGSEGV"),
        ("read-in-libc", SIGSEGV, "SIGSEGV"),
        ("jump", SIGSEGV, "SIGSEGV"),
        ("read-on-thread", SIGSEGV, "SIGSEGV"),
        ("read-in-libc-on-thread", SIGSEGV, "SIGSEGV"),
        ("abort", SIGABRT, "SIGABRT"),
        // Rust says what happened and aborts; what happened first was the fault.
        ("overflow", SIGABRT, "SIGSEGV"),
    ];
    for (fault, signal, name) in faults {
        let (crashed, next, remembered) = crash_and_restart(fault);
        // The status is the one that it would have without anybody looking.
        assert_eq!(crashed.status.signal(), Some(signal), "{fault}: {}", crashed.stderr);
        crashed.expect_stderr(&[&format!("hotbay: {name} while running plugin crashes (sha256 ")]);
        let text = format!("plugin crashes brought the last run of this host down, by {name}");
        next.expect_stderr(&[&text, "while it ran"]);
        assert_eq!(remembered.len(), 1, "{fault}");
        assert_eq!(remembered[0]["doing"], "running", "{fault}");
        let file = remembered[0]["file"].as_str().unwrap();
        assert!(file.ends_with("/libcrashes.so"), "{file}");
    }
}

#[test]
fn a_plugin_that_ends_the_process_as_if_all_was_well_is_named() {
    let (crashed, next, remembered) = crash_and_restart("exit");
    assert_eq!(crashed.status.code(), Some(0), "{}", crashed.stderr);
    crashed.expect_stderr(&["hotbay: exit was called while running plugin crashes"]);
    next.expect_stderr(&["by a call of exit while it ran"]);
    assert_eq!(remembered[0]["how"], "exit");
}

#[test]
fn a_plugin_that_harms_the_host_while_it_is_loaded_is_named() {
    for (fault, text) in [("read", "by SIGSEGV"), ("exit-at-once", "without a trace")] {
        let plugins = PluginsFolder::with(&["crashes"]);
        let config = harmless(&plugins);
        let crashed = Run::config(config.path()).env("CRASH_AT_LOAD", fault).finish();
        assert_eq!(crashed.stdout, "", "{fault}: {}", crashed.stderr);
        let next = run_and_stop(&config);
        next.expect_stderr(&["plugin crashes brought", text, "while it was loaded"]);
    }
}

#[test]
fn a_build_that_crashes_the_host_three_times_is_left_out_until_it_is_released() {
    let plugins = PluginsFolder::with(&["crashes", "hello"]);
    let config = faulty(&plugins, "read");
    for _ in 0..3 {
        let crashed = Run::config(config.path()).finish();
        assert_eq!(crashed.status.signal(), Some(SIGSEGV), "{}", crashed.stderr);
    }
    // The fourth start is without it, and lives; the fifth one as well.
    let fourth = run_until(&config, "is in quarantine since");
    fourth.expect_stderr(&["hotbay plugin release crashes"]);
    let fifth = run_until(&config, "is in quarantine since");
    fifth.expect_stderr(&["it brought the host down 3 times in 5 minutes"]);
    assert!(!fifth.stderr.contains("brought the last run"), "{}", fifth.stderr);

    let path = config.path();
    let release = ["plugin", "release", "crashes", "--config"].map(OsStr::new);
    let ended = Run::new(release.into_iter().chain([path.as_os_str()])).finish().expect_code(0);
    assert!(ended.stdout.contains("libcrashes.so"), "{}", ended.stdout);
    // It is tried again, and not judged for what it did before.
    let crashed = Run::config(config.path()).finish();
    assert_eq!(crashed.status.signal(), Some(SIGSEGV), "{}", crashed.stderr);
    become_harmless(&config, &plugins);
    let next = run_and_stop(&config);
    assert!(!next.stderr.contains("quarantine"), "{}", next.stderr);
}

#[test]
fn nobody_is_blamed_for_a_host_that_was_killed() {
    let plugins = PluginsFolder::with(&["crashes", "hello"]);
    for (signal, number) in [(Signal::Kill, SIGKILL), (Signal::Segv, SIGSEGV)] {
        let config = harmless(&plugins);
        let host = Run::config(config.path()).log("info").start();
        host.wait_for_log("alive");
        host.signal(signal);
        let ended = host.wait();
        assert_eq!(ended.status.signal(), Some(number), "{}", ended.stderr);
        let next = run_and_stop(&config);
        assert!(!next.stderr.contains("brought"), "{}", next.stderr);
        assert_eq!(remembered(&config), Vec::<Value>::new());
    }
}
