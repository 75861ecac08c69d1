//! `hotbay task …`: steering the tasks of a running host.

use std::path::PathBuf;

use hotbay_tests::{Ended, Run, Running, Schedules, until};
use serde_json::Value;

/// A host with tasks that run by hand, and with those that are named here.
fn start(others: &[&str]) -> (Schedules, Running) {
    let host = Schedules::with(others, "");
    let running = host.start();
    (host, running)
}

/// Prepares the call `hotbay run-log CONFIG RUN MORE`.
fn run_log(host: &Schedules, run: &str, more: &[&str]) -> Run {
    let arguments = [PathBuf::from("run-log"), host.config().path(), run.into()];
    Run::new(arguments.into_iter().chain(more.iter().map(PathBuf::from)))
}

#[test]
fn a_task_runs_by_hand_with_arguments_and_its_result_is_shown() {
    let (host, running) = start(&[]);
    let runs = host.json("run", &["adds", "--arguments", "{\"terms\": [20, 22]}", "--wait"]);
    assert_eq!((&runs[0]["state"], &runs[0]["result"]), (&"succeeded".into(), &42.into()));
    assert_eq!(runs[0]["cause"], "request");
    let refused = host.task("run", &["adds"]).expect_code(2);
    refused.expect_stderr(&["the arguments of schedules/adds have to name `terms`"]);
    let refused = host.task("run", &["adds", "--arguments", "[1]"]).expect_code(2);
    refused.expect_stderr(&["have to be a JSON object"]);
    let refused = host.task("run", &["adds", "--arguments", "no"]).expect_code(2);
    refused.expect_stderr(&["--arguments is not JSON", "write an object in quotes"]);
    let wrong = ["adds", "--wait", "--arguments", "{\"terms\": 1}"];
    let failed = host.task("run", &wrong).expect_code(1);
    assert!(failed.stdout.contains("failed"), "{}", failed.stdout);
    drop(running.stop().expect_code(0));
}

#[test]
fn a_run_that_is_in_the_way_is_named_and_can_be_cancelled() {
    let (host, running) = start(&[]);
    let first = host.json("run", &["waits"])[0]["run"].clone();
    until("it runs", || running.stderr().contains("waits: ").then_some(()));
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
    drop(running.stop().expect_code(0));
}

#[test]
fn a_paused_task_skips_what_is_due_and_says_why() {
    let (host, running) = start(&["ticks"]);
    running.wait_for_log("ticks: ");
    drop(host.task("pause", &["ticks"]).expect_code(0));
    let skipped = until("a run is skipped", || {
        host.history("ticks").into_iter().find(|run| run["state"] == "skipped")
    });
    assert_eq!(skipped["reason"], "the task is paused");
    assert_eq!(host.json("show", &["ticks"])["task"]["state"], "paused");
    drop(host.task("resume", &["ticks"]).expect_code(0));
    until("it runs again", || (host.history("ticks")[0]["state"] == "succeeded").then_some(()));
    drop(running.stop().expect_code(0));
}

#[test]
fn a_disabled_task_has_no_times_until_it_is_enabled() {
    let (host, running) = start(&["ticks"]);
    assert_eq!(host.json("next", &["ticks", "--count", "3"])["times"].as_array().unwrap().len(), 3);
    drop(host.task("disable", &["ticks"]).expect_code(0));
    assert_eq!(host.json("show", &["ticks"])["task"]["state"], "disabled");
    let refused = host.task("run", &["ticks"]).expect_code(2);
    refused.expect_stderr(&["schedules/ticks is disabled; `hotbay task enable`"]);
    drop(host.task("next", &["ticks"]).expect_code(2));
    drop(host.task("enable", &["ticks"]).expect_code(0));
    assert_eq!(host.json("show", &["ticks"])["task"]["state"], "active");
    drop(running.stop().expect_code(0));
}

#[test]
fn the_tables_of_tasks_fit_80_columns_in_one_piece_and_keep_each_time_in_one_line() {
    let task = "  - { name: once, schedule: { cron: '30 2 * * 1-5', timezone: Europe/Paris } }\n";
    let host = Schedules::with(&["once"], task);
    let config = host.config().path();
    let validated = Run::new(["validate".as_ref(), config.as_os_str()]).finish().expect_code(0);
    let running = host.start();
    let listed = host.task("list", &[]).expect_code(0);
    for text in [&validated.stdout, &listed.stdout] {
        assert_eq!(text.matches('┌').count(), 1, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
    let times = || validated.stdout.lines().filter(|line| line.contains("02:30:00+0"));
    assert!(times().count() >= 1, "{}", validated.stdout);
    assert!(times().all(|line| line.contains(" 20")), "{}", validated.stdout);
    assert!(listed.stdout.contains(" ┆ in "), "{}", listed.stdout);
    drop(running.stop());
}

#[test]
fn the_next_times_of_a_task_are_shown_without_a_running_host_and_say_so() {
    let host = Schedules::with(&["ticks", "once"], "");
    let next = |task: &str, from: &str| {
        let from = ["--from", from, "--count", "2", "--output", "json"];
        host.task("next", &[&[task], &from[..]].concat())
    };
    let of = |ended: Ended| serde_json::from_str::<Value>(&ended.expect_code(0).stdout).unwrap();
    let dry = of(next("ticks", "2025-10-27 12:00"));
    assert_eq!(dry["source"], "the configuration and its plugins, as no host runs");
    assert_eq!(
        (&dry["zone"], &dry["times"][0]["utc"]),
        (&"Europe/Paris".into(), &"2025-10-27T11:00:01Z".into())
    );
    next("once", "2025-10-27")
        .expect_code(2)
        .expect_stderr(&["schedules/once has no times: it runs"]);
    next("schedules/tiks", "2025-10-27")
        .expect_code(2)
        .expect_stderr(&["there is no task `schedules/tiks`; did you mean"]);
    let running = host.start();
    let running_host = of(next("schedules/ticks", "2025-10-27 12:00"));
    assert_eq!(
        (&running_host["source"], &running_host["times"]),
        (&"the running host".into(), &dry["times"])
    );
    drop(running.stop());
}

#[test]
fn the_next_times_of_a_schedule_are_shown_across_a_change_of_the_clock() {
    let (host, running) = start(&["ticks"]);
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
    drop(running.stop().expect_code(0));
}

#[test]
fn a_misspelled_task_gets_a_suggestion_and_a_missing_host_a_code_of_its_own() {
    let (host, running) = start(&[]);
    let refused = host.task("show", &["adss"]).expect_code(2);
    refused.expect_stderr(&["there is no task `adss`", "schedules/adds"]);
    let list = host.task("list", &[]).expect_code(0).stdout;
    assert!(list.lines().all(|line| line.chars().count() <= 80), "{list}");
    drop(running.stop().expect_code(0));
    host.task("list", &[]).expect_code(3).expect_stderr(&["no host runs with"]);
    let missing = Run::new(["task", "list", "missing.yaml"]).finish().expect_code(3).stderr;
    assert_eq!(missing, "missing.yaml: there is no such file; check the path\n");
    for refused in [host.task("cancel", &["first"]), run_log(&host, "1.5", &[]).finish()] {
        refused.expect_code(2).expect_stderr(&["<RUN>", "`hotbay task history` lists them"]);
    }
}

#[test]
fn what_a_plugin_logs_during_a_run_is_kept_with_the_run_and_can_be_followed() {
    let (host, running) = start(&[]);
    let run = host.json("run", &["waits"])[0]["run"].to_string();
    until("it runs", || running.stderr().contains("waits: ").then_some(()));
    let log = |more: &[&str]| run_log(&host, &run, more);
    let said = log(&[]).finish().expect_code(0).stdout;
    assert!(said.contains(&format!("info  waits: schedules/waits/{run} attempt 1")), "{said}");
    let following = log(&["--follow"]).start();
    drop(host.task("cancel", &[&run]).expect_code(0));
    assert_eq!(following.wait().expect_code(0).stdout, said);
    drop(log(&["--output", "json"]).finish().expect_code(0));
    drop(running.stop().expect_code(0));
}

#[test]
fn a_log_of_thousands_of_lines_is_printed_whole_and_as_one_document_for_programs() {
    let (host, running) = start(&[]);
    let run = host.json("run", &["tells", "--arguments", "{\"count\": 2500}", "--wait"]);
    let run = run[0]["run"].to_string();
    let lines = |more: &[&str]| {
        let as_json = [more, &["--output", "json"]].concat();
        let text = run_log(&host, &run, &as_json).finish().expect_code(0).stdout;
        let lines: Value = serde_json::from_str(&text).expect("one document");
        lines.as_array().unwrap().len()
    };
    // Lines are stored a moment later than the end of the run is known.
    until("all lines are stored", || (lines(&[]) == 2_500).then_some(()));
    for more in [&[][..], &["--follow"]] {
        let text = run_log(&host, &run, more).finish().expect_code(0).stdout;
        let told: Vec<_> = text.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
        let expected: Vec<_> = (0..2_500).map(|number| number.to_string()).collect();
        assert!(told == expected, "{} lines with {more:?}", told.len());
        assert_eq!(lines(more), 2_500);
    }
    drop(running.stop().expect_code(0));
}
