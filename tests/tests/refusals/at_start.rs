//! What a running host puts up with, its next start puts up with, too.

use std::fs;

use hotbay_tests::{ConfigFile, PluginsFolder, Signal, until};

use super::{RELOAD, is_refused, refusal, start, until_in_service, validate};

#[test]
fn broken_settings_leave_their_plugin_out_and_nobody_else() {
    let folder = PluginsFolder::with(&["hello", "logs"]);
    let config = ConfigFile::new(&folder, RELOAD);
    let running = start(&config);
    until_in_service(&config, "hello");
    let settings = folder.write("hello.yaml", b"tasks: { heartbeat: { intervall: 5s } }\n");
    let refused = refusal(&config, "hello.yaml");
    assert_eq!(refused["code"], "settings");
    assert!(refused["reason"].as_str().unwrap().contains("line 1: unknown key `intervall`"));
    assert!(refused["remedy"].as_str().unwrap().contains("previous settings"), "{refused}");
    until_in_service(&config, "hello");
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));

    let running = start(&config);
    until_in_service(&config, "logs");
    let refused = refusal(&config, "libhello.so");
    assert_eq!(refused["code"], "configuration");
    assert!(refused["reason"].as_str().unwrap().contains("hello.yaml:1:"), "{refused}");
    validate(&config).expect_code(2).expect_stderr(&["hello.yaml:1:", "intervall"]);

    fs::write(settings, "tasks: { heartbeat: { interval: 5s } }\n").unwrap();
    until_in_service(&config, "hello");
    assert!(!is_refused(&config, "libhello.so") && !is_refused(&config, "hello.yaml"));
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn settings_that_are_mended_or_removed_are_refused_no_longer() {
    let folder = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::new(&folder, RELOAD);
    let running = start(&config);
    until_in_service(&config, "hello");
    let settings = folder.write("hello.yaml", b"nonsense\n");
    refusal(&config, "hello.yaml");
    fs::remove_file(settings).unwrap();
    until("they are forgotten", || (!is_refused(&config, "hello.yaml")).then_some(()));
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn a_plugin_that_asks_for_what_is_not_honoured_is_left_out() {
    let folder = PluginsFolder::with(&["hello", "asks"]);
    folder.write("libnonsense.so", b"this is no library");
    let config = ConfigFile::new(&folder, RELOAD);
    let running = start(&config);
    until_in_service(&config, "hello");
    let refused = refusal(&config, "libasks.so");
    assert_eq!(refused["code"], "configuration");
    assert!(
        refused["reason"].as_str().unwrap().contains("asks for arguments (`arguments`)"),
        "{refused}"
    );
    assert_eq!(refusal(&config, "libnonsense.so")["code"], "not-a-library");
    running.wait_for_log("still refused");
    let said = running.stderr();
    let said = said.lines().filter(|it| it.contains("asks for arguments (`arguments`)"));
    assert_eq!(said.filter(|it| !it.contains("DEBUG")).count(), 1, "{}", running.stderr());
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
    validate(&config)
        .expect_code(2)
        .expect_stderr(&["libasks.so", "asks for arguments (`arguments`)"]);
}
