//! A build that did harm is not tried again until somebody says so, or another one comes.

use std::{ffi::OsStr, fs};

use hotbay_tests::{ConfigFile, Ended, PluginsFolder, Run, Signal};
use serde_json::{Value, json};

/// `hotbay COMMAND… --config FILE`.
fn with_config(command: &[&str], config: &ConfigFile) -> Ended {
    let path = config.path();
    let mut arguments: Vec<&OsStr> = command.iter().map(OsStr::new).collect();
    arguments.extend([OsStr::new("--config"), path.as_os_str()]);
    Run::new(arguments).finish()
}

fn validate(config: &ConfigFile) -> Ended {
    Run::new([OsStr::new("validate"), config.path().as_os_str()]).finish().expect_code(0)
}

const TASKS: &str = "tasks: [{ plugin: hello, task: greet }]";

#[test]
fn a_build_that_crashed_the_probe_is_refused_by_its_hash_until_it_is_released() {
    let folder = PluginsFolder::with(&["hello", "crashes-on-load"]);
    let config = ConfigFile::new(&folder, TASKS);
    validate(&config).expect_stderr(&["libcrashes_on_load.so", "crashed the probe (SIGSEGV"]);
    validate(&config).expect_stderr(&[
        "libcrashes_on_load.so",
        "is in quarantine since 2",
        "it crashed the probe (SIGSEGV",
        "hotbay plugin release",
    ]);

    let listed = with_config(&["plugin", "quarantine", "--output", "json"], &config);
    let listed: Value = serde_json::from_str(&listed.expect_code(0).stdout).unwrap();
    let held = &listed["quarantine"][0];
    assert_eq!(held["plugin"], "crashes-on-load");
    assert!(held["file"].as_str().unwrap().ends_with("libcrashes_on_load.so"), "{held}");
    let hash = held["hash"].as_str().unwrap();

    let released = with_config(&["plugin", "release", &hash[..8]], &config).expect_code(0);
    assert!(released.stdout.contains("crashes-on-load"), "{}", released.stdout);
    let listed = with_config(&["plugin", "quarantine"], &config).expect_code(0);
    assert_eq!(listed.stdout, "no build is in quarantine\n");
    validate(&config).expect_stderr(&["crashed the probe (SIGSEGV"]);
}

#[test]
fn another_build_of_a_quarantined_plugin_is_tried() {
    let folder = PluginsFolder::with(&["hello", "aborts-on-load"]);
    let config = ConfigFile::new(&folder, TASKS);
    validate(&config).expect_stderr(&["crashed the probe (SIGABRT"]);
    let file = folder.path().join("libaborts_on_load.so");
    let mut bytes = fs::read(&file).unwrap();
    bytes.push(0);
    fs::write(&file, bytes).unwrap();
    validate(&config).expect_stderr(&["crashed the probe (SIGABRT"]);
    validate(&config).expect_stderr(&["is in quarantine"]);
}

#[test]
fn a_build_that_hangs_costs_the_limit_a_few_times() {
    let folder = PluginsFolder::with(&["hello", "hangs"]);
    let path = folder.path().display();
    let yaml = format!("plugins: {{ folder: {path}, probe_timeout: 700ms }}\n{TASKS}");
    let config = ConfigFile::verbatim(&yaml);
    // Once may be a machine that was busy.
    for _ in 0..3 {
        validate(&config).expect_stderr(&["libhangs.so", "did not come up within 700ms"]);
    }
    validate(&config).expect_stderr(&["is in quarantine", "it did not come up within 700ms"]);
}

#[test]
fn releasing_what_is_not_held_says_so() {
    let config = ConfigFile::new(&PluginsFolder::with(&[]), "");
    let ended = with_config(&["plugin", "release", "nothing"], &config).expect_code(2);
    ended.expect_stderr(&["nothing", "hotbay plugin quarantine"]);
}

#[test]
fn a_running_host_takes_a_build_as_soon_as_it_is_released() {
    let folder = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::new(&folder, "tasks: [{ plugin: hello, task: heartbeat }]");
    let file = folder.path().join("libhello.so");
    let arguments = ["plugin", "inspect", file.to_str().unwrap(), "--output", "json"];
    let inspected = Run::new(arguments).finish().expect_code(0);
    let inspected: Value = serde_json::from_str(&inspected.stdout).unwrap();
    let held = json!({
        "hash": inspected["sha256"],
        "file": file,
        "plugin": "hello",
        "reason": "crashed the host",
        "since": "2026-01-01T00:00:00Z",
    });
    let state = config.path().with_file_name(".hotbay").join("hotbay");
    fs::create_dir_all(&state).unwrap();
    fs::write(state.join("quarantine.json"), json!({ "held": [held] }).to_string()).unwrap();

    let host = Run::config(config.path()).log("info").start();
    host.wait_for_log("is in quarantine since 2026-01-01T00:00:00Z: it crashed the host");
    host.wait_for_log("nothing to run yet");
    assert!(!host.stderr().contains("loaded plugin="), "{}", host.stderr());
    let released = with_config(&["plugin", "release", "hello"], &config).expect_code(0);
    assert!(released.stdout.contains("hello"), "{}", released.stdout);
    host.wait_for_log("loaded plugin=");
    host.signal(Signal::Terminate);
    assert!(host.wait().expect_code(0).stdout.contains("heartbeat"));
}
