//! A running host can be asked although its configuration on disk is wrong.

use std::{ffi::OsStr, fs};

use hotbay_tests::{ConfigFile, Ended, PluginsFolder, Run, Signal, until};

use super::RELOAD;

/// A configuration whose state folder and tasks need a careful reader.
fn config(folder: &PluginsFolder) -> ConfigFile {
    let task = "tasks: [{ plugin: hello, task: greet, config: { name: \"${WHO}\" } }]\n";
    ConfigFile::new(folder, &format!("{RELOAD}state_folder: state\n{task}"))
}

fn ask(command: &[&str], config: &ConfigFile) -> Run {
    let path = config.path();
    Run::new(command.iter().map(OsStr::new).chain([path.as_os_str()]))
}

fn refused(ended: Ended) -> Ended {
    let ended = ended.expect_code(0);
    let text = format!("{}{}", ended.stdout, ended.stderr);
    assert!(text.contains("the configuration on disk is refused"), "{text}");
    ended
}

#[test]
fn a_host_answers_though_a_variable_is_not_set_or_the_file_is_broken() {
    let folder = PluginsFolder::with(&["hello"]);
    let config = config(&folder);
    let running = Run::config(config.path()).log("info").env("WHO", "me").start();
    until("the host runs", || {
        ask(&["status"], &config).finish().stdout.contains("in service").then_some(())
    });
    let ended = refused(ask(&["status"], &config).finish());
    assert!(ended.stderr.contains("WHO"), "{}", ended.stderr);
    refused(ask(&["plugin", "list", "--config"], &config).finish());

    let sound = fs::read_to_string(config.path()).unwrap();
    fs::write(config.path(), format!("{sound}tasks: [\n")).unwrap();
    running.wait_for_log("the configuration: refused");
    for command in [&["status"][..], &["plugin", "list", "--config"]] {
        let ended = refused(ask(command, &config).env("WHO", "me").finish());
        assert!(ended.stdout.contains("hello"), "{}", ended.stdout);
    }
    refused(ask(&["plugin", "quarantine", "--config"], &config).finish());
    let release = ask(&["plugin", "release", "hello", "--config"], &config).finish();
    release.expect_code(2).expect_stderr(&["no build in quarantine is, or comes from, hello"]);
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
    ask(&["status"], &config).finish().expect_code(3).expect_stderr(&["no host runs"]);
}

#[test]
fn a_state_folder_that_nobody_can_find_is_told_by_its_variable() {
    let config = ConfigFile::verbatim("plugins: { folder: p }\nstate_folder: ${WHERE}/state\n");
    let ended = ask(&["status"], &config).finish().expect_code(2);
    ended.expect_stderr(&["WHERE", "correct `state_folder`"]);
}

#[test]
fn a_configuration_that_does_not_exist_has_no_quarantine() {
    let config = ConfigFile::verbatim("");
    fs::remove_file(config.path()).unwrap();
    let ended = ask(&["plugin", "quarantine", "--config"], &config).finish().expect_code(2);
    ended.expect_stderr(&["there is no such file"]);
}
