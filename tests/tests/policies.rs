//! What the policies of tasks in a configuration file do to their runs.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{thread, time::Duration};

use hotbay_tests::{Running, Schedules, until};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

fn start(tasks: &[&str], more: &str) -> (Schedules, Running) {
    let place = Schedules::with(tasks, more);
    let running = place.start();
    (place, running)
}

fn stop(running: Running) {
    drop(running.stop().expect_code(0));
}

/// Stops a host of whose tasks one has failed.
fn stop_failed(running: Running) {
    drop(running.stop().expect_code(1));
}

/// The latest run of a task, once there is one that has ended.
fn ended(place: &Schedules, task: &str) -> Value {
    until("a run has ended", || {
        let run = place.history(task).into_iter().next()?;
        (!run["ended"].is_null() || run["state"] == "skipped").then_some(run)
    })
}

fn time(run: &Value, key: &str) -> Timestamp {
    run[key].as_str().unwrap_or_else(|| panic!("{key} of {run}")).parse().unwrap()
}

#[test]
fn what_depends_on_a_failure_is_skipped_or_runs_or_fails_as_its_policy_says() {
    for (policy, state) in [("skip", "skipped"), ("run", "succeeded"), ("fail", "failed")] {
        let policy =
            format!("  - {{ plugin: schedules, task: doomed, on_dependency_failure: {policy} }}\n");
        let (place, running) = start(&["hangs", "doomed"], &policy);
        let run = ended(&place, "doomed");
        assert_eq!(run["state"], state, "{run}");
        if state != "succeeded" {
            assert!(run["reason"].as_str().unwrap().contains("schedules/hangs"), "{run}");
        }
        stop_failed(running);
    }
}

#[test]
fn the_delay_between_attempts_grows_as_the_backoff_says() {
    // Two delays come before the third attempt, which is the one that succeeds.
    for (backoff, least, most) in [
        ("constant", 600, 3_000),
        ("exponential", 900, 3_000),
        ("{ policy: exponential, cap: 300ms }", 600, 3_000),
    ] {
        let policy = format!(
            "  - {{ plugin: schedules, task: stubborn, retry_delay: 300ms, backoff: {backoff} }}\n"
        );
        let (place, running) = start(&["stubborn"], &policy);
        let run = ended(&place, "stubborn");
        assert_eq!((&run["state"], &run["attempts"]), (&"succeeded".into(), &3.into()), "{run}");
        let took = time(&run, "ended").duration_since(time(&run, "started")).as_millis();
        assert!((least..most).contains(&took), "{backoff}: {took} ms");
        stop(running);
    }
}

/// The runs of `ticks`, which is due each second, that were due while no host ran for three seconds,
/// and their nominal times.
fn missed(misfire: &str) -> (u64, Vec<Timestamp>) {
    let policy = format!("  - {{ plugin: schedules, task: ticks, misfire: {misfire} }}\n");
    let (place, running) = start(&["ticks"], &policy);
    drop(ended(&place, "ticks"));
    stop(running);
    let stopped = Timestamp::now();
    // The clock is what this is about: three times pass without a host.
    thread::sleep(Duration::from_secs(4));
    let started = Timestamp::now();
    let running = place.start();
    until("it is on time again", || {
        let runs = place.history("ticks");
        let latest = runs.iter().filter_map(|run| run["nominal"].as_str()?.parse().ok()).max()?;
        (started < latest).then_some(())
    });
    let counted = place.json("show", &["ticks"])["task"]["counts"]["missed"].as_u64().unwrap();
    let runs = place.history("ticks").into_iter().filter(|run| run["state"] == "succeeded");
    let nominal = runs.filter_map(|run| run["nominal"].as_str()?.parse::<Timestamp>().ok());
    let mut made_up: Vec<_> = nominal.filter(|at| *at > stopped && *at <= started).collect();
    made_up.sort();
    stop(running);
    (counted, made_up)
}

#[test]
fn runs_that_no_host_was_there_for_are_made_up_for_as_the_misfire_policy_says() {
    let (counted, made_up) = missed("skip");
    assert!(counted >= 3 && made_up.is_empty(), "{counted} missed, {made_up:?}");
    let (counted, made_up) = missed("once");
    assert!(counted >= 2 && made_up.len() == 1, "{counted} missed, {made_up:?}");
    let (counted, made_up) = missed("{ policy: all, cap: 2 }");
    assert!(counted >= 1 && made_up.len() == 2, "{counted} missed, {made_up:?}");
    assert_eq!(made_up[1].duration_since(made_up[0]), SignedDuration::from_secs(1), "the latest");
    let (counted, made_up) = missed("{ policy: all, grace: 1s }");
    assert!(counted >= 2 && made_up.len() <= 1, "{counted} missed, {made_up:?}");
}

#[test]
fn runs_start_no_faster_than_the_shortest_time_between_two() {
    let rate = "  - { plugin: schedules, task: ticks, interval: 400ms, min_start_interval: 1s }\n";
    let (place, running) = start(&["ticks"], rate);
    let started = until("three runs have started", || {
        let runs = place.history("ticks");
        let started = runs.iter().filter_map(|run| run["started"].as_str()?.parse().ok());
        let mut started: Vec<Timestamp> = started.collect();
        started.sort();
        (started.len() >= 3).then_some(started)
    });
    for pair in started.windows(2) {
        let between = pair[1].duration_since(pair[0]);
        // When an attempt begins is noted a moment after it was decided.
        assert!(between >= SignedDuration::from_millis(900), "{between:?}");
    }
    stop(running);
}

#[test]
fn a_run_that_is_kept_in_memory_is_unknown_to_the_next_host_and_others_are_known() {
    for (durability, runs) in [("memory", 0), ("async", 1), ("fsync", 1)] {
        let policy = format!("  - {{ plugin: schedules, task: adds, durability: {durability} }}\n");
        let (place, running) = start(&[], &policy);
        let sum = ["adds", "--arguments", "{\"terms\": [1]}", "--wait"];
        drop(place.task("run", &sum).expect_code(0));
        assert_eq!(place.history("adds").len(), 1, "{durability}");
        stop(running);
        let running = place.start();
        assert_eq!(place.history("adds").len(), runs, "{durability}");
        stop(running);
    }
}

#[test]
fn a_run_that_is_due_takes_the_place_of_the_one_under_way_if_the_policy_says_replace() {
    let (place, running) = start(&[], "  - { plugin: schedules, task: waits, overlap: replace }\n");
    let first = place.json("run", &["waits"])[0]["run"].clone();
    running.wait_for_log(&format!("waits: schedules/waits/{first} "));
    let second = place.json("run", &["waits"])[0]["run"].clone();
    running.wait_for_log(&format!("waits: schedules/waits/{second} "));
    let state = |run: &Value| {
        let runs = place.history("waits");
        runs.into_iter().find(|it| it["run"] == *run).map(|it| it["state"].clone())
    };
    until("the first one is replaced", || (state(&first)? == "replaced").then_some(()));
    assert_eq!(state(&second), Some("running".into()));
    drop(place.task("cancel", &[&second.to_string()]).expect_code(0));
    stop(running);
}

#[test]
fn sync_runs_that_fill_the_threads_of_their_plugin_hold_up_no_async_run() {
    let entry = "  - { plugin: schedules, task: deaf, interval: 20ms, overlap: allow, at_once: 40, \
                 timeout: none }\n";
    let (place, running) = start(&["deaf", "ticks"], entry);
    until("many sync runs are under way", || {
        let shown = place.json("show", &["deaf"]);
        (shown["task"]["running"].as_u64()? >= 30).then_some(())
    });
    let busy = Timestamp::now();
    let ticks = until("async runs come", || {
        let runs = place.history("ticks").into_iter();
        let after = runs.filter(|run| {
            run["started"].as_str().is_some_and(|at| at.parse::<Timestamp>().unwrap() > busy)
        });
        let after: Vec<_> = after.collect();
        (after.len() >= 2).then_some(after)
    });
    for run in ticks {
        let late = time(&run, "started").duration_since(time(&run, "nominal"));
        // A sync run takes two seconds.
        assert!(late < SignedDuration::from_millis(1_800), "{late:?}: {run}");
    }
    drop(place.task("disable", &["deaf"]).expect_code(0));
    stop(running);
}

#[test]
fn a_schedule_has_its_runs_between_its_start_and_its_end() {
    let now = Timestamp::now();
    let at = |seconds: i64| (now + SignedDuration::from_secs(seconds)).to_string();
    let entry = format!(
        "  - {{ plugin: schedules, task: ticks, schedule: {{ cron: '* * * * * *', timezone: UTC, \
         start: '{}', end: '{}' }} }}\n",
        at(3),
        at(6)
    );
    let (place, running) = start(&["ticks"], &entry);
    until("the schedule has ended", || {
        let shown = place.json("show", &["ticks"]);
        (shown["task"]["next"].is_null() && shown["task"]["running"] == 0).then_some(())
    });
    let runs = place.history("ticks");
    assert!((1..=3).contains(&runs.len()), "{runs:?}");
    for run in runs {
        let due = time(&run, "nominal").duration_since(now);
        assert!(
            (SignedDuration::from_secs(3)..=SignedDuration::from_secs(6)).contains(&due),
            "{run}"
        );
    }
    stop(running);
}
