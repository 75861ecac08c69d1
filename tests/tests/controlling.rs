//! `hotbay task …`: steering the tasks of a running host.

use std::path::PathBuf;

use hotbay_tests::{ConfigFile, Ended, PluginsFolder, Run, Running, Signal, until};
use serde_json::Value;

/// A host with tasks that run by hand, and with those that are named here.
struct Host {
    _folder: PluginsFolder,
    config: ConfigFile,
    running: Running,
}

impl Host {
    fn start(others: &[&str]) -> Self {
        let folder = PluginsFolder::with(&["schedules"]);
        let scheduled = ["ticks", "after", "once", "stubborn", "hangs", "deaf", "beside", "past"];
        let off = scheduled.iter().filter(|task| !others.contains(task)).chain([&"doomed"]);
        let off: String = off
            .map(|task| format!("  - {{ plugin: schedules, task: {task}, enabled: false }}\n"))
            .collect();
        let config = ConfigFile::new(&folder, &format!("tasks:\n{off}"));
        let running = Run::config(config.path()).log("info").start();
        until("the host answers", || config.status());
        Self { _folder: folder, config, running }
    }

    /// Calls `hotbay task COMMAND CONFIG ARGUMENTS`.
    fn task(&self, command: &str, arguments: &[&str]) -> Ended {
        let config = self.config.path();
        let start = [PathBuf::from("task"), command.into(), config];
        Run::new(start.into_iter().chain(arguments.iter().map(PathBuf::from))).finish()
    }

    fn json(&self, command: &str, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--output", "json"]].concat();
        let ended = self.task(command, &arguments).expect_code(0);
        serde_json::from_str(&ended.stdout).expect("it is JSON")
    }

    /// The latest runs of a task.
    fn history(&self, task: &str) -> Vec<Value> {
        self.json("history", &[task]).as_array().cloned().expect("a list")
    }

    fn stop(self) {
        self.running.signal(Signal::Terminate);
        drop(self.running.wait().expect_code(0));
    }
}

#[test]
fn a_task_runs_by_hand_with_arguments_and_its_result_is_shown() {
    let host = Host::start(&[]);
    let runs = host.json("run", &["adds", "--arguments", "{\"terms\": [20, 22]}", "--wait"]);
    assert_eq!((&runs[0]["state"], &runs[0]["result"]), (&"succeeded".into(), &42.into()));
    assert_eq!(runs[0]["cause"], "request");
    let refused = host.task("run", &["adds"]).expect_code(2);
    refused.expect_stderr(&["the arguments of schedules/adds have to name `terms`"]);
    let refused = host.task("run", &["adds", "--arguments", "[1]"]).expect_code(2);
    refused.expect_stderr(&["have to be a JSON object"]);
    let wrong = ["adds", "--wait", "--arguments", "{\"terms\": 1}"];
    let failed = host.task("run", &wrong).expect_code(1);
    assert!(failed.stdout.contains("failed"), "{}", failed.stdout);
    host.stop();
}

#[test]
fn a_run_that_is_in_the_way_is_named_and_can_be_cancelled() {
    let host = Host::start(&[]);
    let first = host.json("run", &["waits"])[0]["run"].clone();
    until("it runs", || host.running.stderr().contains("waits: ").then_some(()));
    let refused = host.task("run", &["waits"]).expect_code(2);
    refused.expect_stderr(&[&format!("run {first} of the task has not ended")]);
    let second = host.json("run", &["waits", "--force"])[0]["run"].clone();
    let shown = host.json("show", &["waits"]);
    assert_eq!((&shown["task"]["running"], &shown["task"]["waiting"]), (&1.into(), &1.into()));
    // The latest first: it waits for the place that the first one has.
    assert_eq!((&shown["runs"][0]["run"], &shown["runs"][0]["by"]), (&second, &first));
    for run in [&first, &second] {
        drop(host.task("cancel", &[&run.to_string()]).expect_code(0));
    }
    until("both have ended", || {
        let runs = host.history("waits");
        runs.iter().all(|run| run["state"] == "cancelled").then_some(())
    });
    let refused = host.task("cancel", &["1000000"]).expect_code(2);
    refused.expect_stderr(&["there is no run 1000000, or it has ended"]);
    host.stop();
}

#[test]
fn a_paused_task_skips_what_is_due_and_says_why() {
    let host = Host::start(&["ticks"]);
    host.running.wait_for_log("ticks: ");
    drop(host.task("pause", &["ticks"]).expect_code(0));
    let skipped = until("a run is skipped", || {
        host.history("ticks").into_iter().find(|run| run["state"] == "skipped")
    });
    assert_eq!(skipped["reason"], "the task is paused");
    assert_eq!(host.json("show", &["ticks"])["task"]["state"], "paused");
    drop(host.task("resume", &["ticks"]).expect_code(0));
    until("it runs again", || (host.history("ticks")[0]["state"] == "succeeded").then_some(()));
    host.stop();
}

#[test]
fn a_disabled_task_has_no_times_until_it_is_enabled() {
    let host = Host::start(&["ticks"]);
    assert_eq!(host.json("next", &["ticks", "--count", "3"])["times"].as_array().unwrap().len(), 3);
    drop(host.task("disable", &["ticks"]).expect_code(0));
    assert_eq!(host.json("show", &["ticks"])["task"]["state"], "disabled");
    let refused = host.task("run", &["ticks"]).expect_code(2);
    refused.expect_stderr(&["schedules/ticks is disabled; `hotbay task enable`"]);
    drop(host.task("next", &["ticks"]).expect_code(2));
    drop(host.task("enable", &["ticks"]).expect_code(0));
    assert_eq!(host.json("show", &["ticks"])["task"]["state"], "active");
    host.stop();
}

#[test]
fn the_next_times_of_a_schedule_are_shown_across_a_change_of_the_clock() {
    let host = Host::start(&["ticks"]);
    let from = ["--from", "2025-10-26T00:59:59Z", "--count", "2"];
    let ended = host.task("next", &[&["ticks"], &from[..]].concat()).expect_code(0);
    for (local, utc) in [("02:00:00", "01:00:00"), ("02:00:01", "01:00:01")] {
        let times = format!("2025-10-26 {local} ┆ +01:00 ┆ 2025-10-26 {utc}Z ┆ second of two");
        assert!(ended.stdout.contains(&times), "{}", ended.stdout);
    }
    // A local time is meant on the clock of the task's zone.
    let from = ["--from", "2025-10-27 12:00", "--count", "1", "--output", "json"];
    let ended = host.task("next", &[&["ticks"], &from[..]].concat()).expect_code(0);
    let times: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(times["times"][0]["utc"], "2025-10-27T11:00:01Z");
    host.stop();
}

#[test]
fn a_misspelled_task_gets_a_suggestion_and_a_missing_host_a_code_of_its_own() {
    let host = Host::start(&[]);
    let refused = host.task("show", &["adss"]).expect_code(2);
    refused.expect_stderr(&["there is no task `adss`", "schedules/adds"]);
    let list = host.task("list", &[]).expect_code(0).stdout;
    assert!(list.lines().all(|line| line.chars().count() <= 80), "{list}");
    let config = host.config.path();
    host.running.signal(Signal::Terminate);
    drop(host.running.wait().expect_code(0));
    let arguments = [PathBuf::from("task"), "list".into(), config];
    let ended = Run::new(arguments).finish().expect_code(3);
    ended.expect_stderr(&["no host runs with"]);
}

#[test]
fn what_a_plugin_logs_during_a_run_is_kept_with_the_run_and_can_be_followed() {
    let host = Host::start(&[]);
    let run = host.json("run", &["waits"])[0]["run"].to_string();
    until("it runs", || host.running.stderr().contains("waits: ").then_some(()));
    let config = host.config.path();
    let log = |more: &[&str]| {
        let arguments = ["run-log".into(), config.clone(), run.clone().into()];
        Run::new(arguments.into_iter().chain(more.iter().map(PathBuf::from)))
    };
    let said = log(&[]).finish().expect_code(0).stdout;
    assert!(said.contains(&format!("info  waits: schedules/waits/{run} attempt 1")), "{said}");
    let following = log(&["--follow"]).start();
    drop(host.task("cancel", &[&run]).expect_code(0));
    assert_eq!(following.wait().expect_code(0).stdout, said);
    drop(log(&["--output", "json"]).finish().expect_code(0));
    host.stop();
}

#[test]
fn a_long_log_of_a_run_is_printed_whole() {
    let host = Host::start(&[]);
    let arguments = ["says", "--arguments", "{\"lines\": 2500}", "--wait"];
    let run = host.json("run", &arguments)[0]["run"].to_string();
    let log = |more: &[&str]| {
        let start = ["run-log".into(), host.config.path(), run.clone().into()];
        Run::new(start.into_iter().chain(more.iter().map(PathBuf::from))).finish().expect_code(0)
    };
    let lines = log(&[]).stdout;
    assert_eq!(lines.lines().count(), 2_500);
    assert!(lines.ends_with("says number=2500\n"), "{}", &lines[lines.len() - 100..]);
    let followed = log(&["--follow"]).stdout;
    assert_eq!(followed, lines);
    let json: Value =
        serde_json::from_str(&log(&["--output", "json"]).stdout).expect("one document");
    assert_eq!(json.as_array().map(Vec::len), Some(2_500));
    host.stop();
}
