//! Numbers, durations and clocks beyond all reason are refused or survived, and what came from the
//! environment is not shown.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use hotbay_tests::{ConfigFile, Ended, PluginsFolder, Run, Running, Signal, library, put, until};

fn validate(config: &ConfigFile) -> Ended {
    Run::new(["validate".as_ref(), config.path().as_os_str()]).finish()
}

/// Starts a host with the plugin `hello`, and waits until its heartbeat runs.
fn start(run: Run) -> Running {
    let running = run.start();
    running.wait_for_log("alive");
    running
}

#[test]
fn a_duration_without_end_is_refused_with_its_limit() {
    let folder = PluginsFolder::with(&["hello"]);
    let path = folder.path().display();
    for endless in ["500000000000y", "18446744073709551615s"] {
        for (yaml, range) in [
            (format!("plugins: {{ folder: {path}, probe_timeout: {endless} }}"), "1ms to 1h"),
            (format!("plugins: {{ folder: {path} }}\nreload: {{ settle: {endless} }}"), "0s to 1h"),
            (
                format!("plugins: {{ folder: {path} }}\nshutdown: {{ drain: {endless} }}"),
                "0s to 1day",
            ),
        ] {
            let ended = validate(&ConfigFile::verbatim(&yaml)).expect_code(2);
            ended.expect_stderr(&["hotbay.yaml:", &format!("a duration from {range}"), endless]);
        }
        folder.write(
            "hello.yaml",
            format!("tasks: {{ heartbeat: {{ interval: {endless} }} }}").as_bytes(),
        );
        let ended = validate(&ConfigFile::verbatim(&format!("plugins: {{ folder: {path} }}")));
        ended.expect_stderr(&["hello.yaml:1:", "a duration from 1ms to 10years"]);
        fs::remove_file(folder.path().join("hello.yaml")).unwrap();
    }
}

#[test]
fn a_wrong_number_of_threads_costs_a_running_host_nothing() {
    let folder = PluginsFolder::with(&["hello"]);
    let tasks =
        "tasks: [{ plugin: hello, task: heartbeat, interval: 20ms }]\nreload: { settle: 20ms }\n";
    let config = ConfigFile::new(&folder, tasks);
    let running = start(Run::config(config.path()).log("info"));
    for threads in ["18446744073709551615", "100000"] {
        put(&folder.path().join("hello.yaml"), format!("threads: {threads}\n").as_bytes());
        running.wait_for_log(&format!(
            "hello.yaml:1:10: expected a whole number from 1 to 1024, found the number {threads}"
        ));
    }
    let beats = running.stderr().matches("alive").count();
    until("further beats", || (running.stderr().matches("alive").count() > beats).then_some(()));
    running.signal(Signal::Terminate);
    let ended = running.wait();
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}

#[test]
fn settings_without_content_are_no_settings() {
    let folder = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::new(&folder, "");
    for empty in ["", "# nothing yet\n"] {
        folder.write("hello.yaml", empty.as_bytes());
        let ended = validate(&config).expect_code(0);
        assert_eq!(ended.stderr, "");
    }
}

/// Builds a library that shifts the clock of a process by the seconds in `CLOCK_SHIFT`.
fn shifted_clock(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
    fs::write(
        &source,
        "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <stdlib.h>\n#include <time.h>\n\
         static int (*real)(clockid_t, struct timespec *);\n\
         int clock_gettime(clockid_t clock, struct timespec *time) {\n\
           if (!real) real = dlsym(RTLD_NEXT, \"clock_gettime\");\n\
           int result = real(clock, time);\n\
           const char *shift = getenv(\"CLOCK_SHIFT\");\n\
           if (clock == CLOCK_REALTIME && shift) time->tv_sec += atoll(shift);\n\
           return result;\n\
         }\n",
    )
    .unwrap();
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let mut command = Command::new(compiler);
    command.args(["-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl");
    assert!(command.status().unwrap().success());
    library
}

#[test]
fn a_host_runs_with_a_clock_before_1970_or_after_9999() {
    let folder = PluginsFolder::with(&["hello"]);
    let temporary = tempfile::tempdir().unwrap();
    let clock = shifted_clock(temporary.path());
    let tasks =
        "tasks: [{ plugin: hello, task: heartbeat, interval: 20ms }]\nreload: { settle: 20ms }\n";
    for (shift, year) in [("-1800000000", "1970-"), ("300000000000", "9999-")] {
        let config = ConfigFile::new(&folder, tasks);
        let run = Run::config(config.path()).log("info");
        let running = start(run.env("LD_PRELOAD", &clock).env("CLOCK_SHIFT", shift));
        let status = until("the status", || config.status());
        let loaded = status["plugins"][0]["loaded"].as_str().unwrap();
        assert!(loaded.starts_with(year), "{loaded}");
        let warning = "has no run any more: its next one would be after the year 9999";
        if year == "9999-" {
            running.wait_for_log(warning);
        }
        running.signal(Signal::Terminate);
        let ended = running.wait().expect_code(0);
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
        let of_task = |line: &&str| line.contains(warning) && line.contains("hello/heartbeat");
        let warnings = ended.stderr.lines().filter(of_task).count();
        assert_eq!(warnings, usize::from(year == "9999-"), "{}", ended.stderr);
    }
}

#[test]
fn a_value_from_the_environment_reaches_neither_log_nor_status() {
    const SECRET: &str = "hunter2-s3cr3t";
    let folder = PluginsFolder::with(&["hello"]);
    let tasks =
        "tasks: [{ plugin: hello, task: heartbeat, interval: 20ms }]\nreload: { settle: 20ms }\n";
    let config = ConfigFile::new(&folder, tasks);
    let running = start(Run::config(config.path()).log("info").env("TOP_SECRET", SECRET));
    config.rewrite(&folder, &tasks.replace("20ms }]", "\"${TOP_SECRET}\" }]"));
    running.wait_for_log("expected a duration such as `5s` or `250ms`, found `${TOP_SECRET}`");
    let status = until("the refusal in the status", || {
        config.status().filter(|status| !status["configuration_refused"].is_null())
    });
    running.signal(Signal::Terminate);
    let ended = running.wait().expect_code(0);
    assert!(!status.to_string().contains("hunter2"), "{status}");
    assert!(!(ended.stderr + &ended.stdout).contains("hunter2"));
}

#[test]
fn what_a_plugin_says_of_a_value_from_the_environment_is_masked_as_well() {
    let folder = PluginsFolder::with(&["talkative"]);
    let others = ["fails", "panics", "counts", "reports", "returns", "logs", "nests", "measures"];
    let others =
        others.map(|it| format!("  - {{ plugin: talkative, task: {it}, enabled: false }}"));
    let told = "  - { plugin: talkative, task: tells, config: { key: \"${TOP_SECRET}\" } }";
    let config = ConfigFile::new(&folder, &format!("tasks:\n{}\n{told}\n", others.join("\n")));
    let run = Run::config(config.path()).log("info");
    let running = run.env("TOP_SECRET", "hunter2-\"s3cr3t\"").start();
    running.wait_for_log("nobody takes");
    let status = config.status().unwrap();
    running.signal(Signal::Terminate);
    let ended = running.wait().expect_code(1);
    ended.expect_stderr(&["the key is ${TOP_SECRET}", "nobody takes ${TOP_SECRET}"]);
    for said in [&status.to_string(), &ended.stderr, &ended.stdout] {
        assert!(!said.contains("hunter2") && !said.contains("s3cr3t"), "{said}");
    }
}

#[test]
fn a_plugin_that_refuses_its_settings_does_not_show_them() {
    let folder = PluginsFolder::with(&["hello"]);
    let task = "tasks: [{ plugin: hello, task: greet, config: { name: ${PIN} } }]\n";
    let config = ConfigFile::new(&folder, task);
    let run = Run::new(["validate".as_ref(), config.path().as_os_str()]);
    let ended = run.env("PIN", "77123456").finish().expect_code(2);
    ended.expect_stderr(&["hotbay.yaml:2:55: invalid type: integer `${PIN}`, expected a string"]);
    assert!(!ended.stderr.contains("77123456"), "{}", ended.stderr);
}

#[test]
fn a_second_library_of_a_plugin_is_an_error_of_validate() {
    let folder = PluginsFolder::with(&["hello"]);
    folder.write("libhello_again.so", &fs::read(library("hello")).unwrap());
    let ended = validate(&ConfigFile::new(&folder, "")).expect_code(2);
    ended.expect_stderr(&["libhello_again.so", "libhello.so", "hello"]);
}
