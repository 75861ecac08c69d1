//! What `PLUGIN_TASKS` can ask of the scheduler: cron, dependencies, attempts, time limits, runs
//! side by side.

use hotbay_tests::{ConfigFile, PluginsFolder, Run, Running, Schedules, until};
use serde_json::Value;

/// A host that runs some of the tasks.
fn start(tasks: &[&str]) -> (Schedules, Running) {
    let schedules = Schedules::with(tasks, "shutdown: { drain: 10s }\n");
    let running = schedules.start();
    (schedules, running)
}

/// The row of a task in the status.
fn row(schedules: &Schedules, task: &str) -> Option<Value> {
    schedules.config().entry("tasks", "id", &format!("schedules/{task}"))
}

#[test]
fn a_cron_task_runs_at_its_times_and_shows_its_schedule_in_words() {
    let (schedules, running) = start(&["ticks"]);
    running.wait_for_log("ticks: schedules/ticks/3 attempt 1");
    let row = row(&schedules, "ticks").unwrap();
    assert_eq!(row["schedule"], "every second (Europe/Paris)");
    assert_eq!(row["failed"], 0);
    drop(running.stop().expect_code(0));
}

#[test]
fn a_task_runs_once_for_each_set_of_new_successes_of_those_that_it_depends_on() {
    let (schedules, running) = start(&["ticks", "once", "after"]);
    running.wait_for_log("after: schedules/after/");
    // `once` has no second success, however often `ticks` has.
    let ticked = || running.stderr().matches("ticks: schedules/ticks/").count() > 3;
    until("it ticks", || ticked().then_some(()));
    assert_eq!(row(&schedules, "after").unwrap()["runs"], 1);
    drop(running.stop().expect_code(0));
}

#[test]
fn a_run_is_tried_again_until_it_succeeds_or_has_no_attempts_left() {
    let (schedules, running) = start(&["stubborn"]);
    for attempt in 1..=3 {
        running.wait_for_log(&format!("stubborn: schedules/stubborn/1 attempt {attempt}"));
    }
    let row = until("the run ends", || {
        row(&schedules, "stubborn").filter(|row| row["runs"].as_u64() > Some(0))
    });
    assert_eq!((&row["runs"], &row["failed"]), (&1.into(), &0.into()), "{row}");
    drop(running.stop().expect_code(0));
}

#[test]
fn a_run_that_passes_its_time_limit_has_failed_and_what_depends_on_it_is_skipped() {
    let (schedules, running) = start(&["hangs", "doomed"]);
    running.wait_for_log("a run failed: passed its time limit");
    running.wait_for_log("was skipped: schedules/hangs, on which it depends");
    assert_eq!(row(&schedules, "doomed").unwrap()["runs"], 0);
    let report = running.stop().report();
    assert_eq!(report.task("schedules/hangs")["failed"], 1);
}

#[test]
fn a_sync_run_that_does_not_stop_keeps_its_place_until_it_ends() {
    let (_schedules, running) = start(&["deaf"]);
    running.wait_for_log("does not stop, although it was asked to: it passed its time limit");
    let log = until("the next one begins", || {
        let log = running.stderr();
        (log.matches("deaf begins: ").count() == 2).then_some(log)
    });
    let (ends, begins) = (log.find("deaf ends: ").unwrap(), log.rfind("deaf begins: ").unwrap());
    assert!(ends < begins, "one after the other:\n{log}");
    drop(running.stop());
}

#[test]
fn runs_that_may_overlap_are_under_way_side_by_side() {
    let (schedules, running) = start(&["beside"]);
    running.wait_for_log("beside: schedules/beside/5 ");
    assert!(row(&schedules, "beside").unwrap()["runs"].as_u64() < Some(5));
    drop(running.stop().expect_code(0));
}

#[test]
fn an_interval_begins_with_a_run_at_once() {
    let folder = PluginsFolder::with(&["hello"]);
    let config =
        ConfigFile::new(&folder, "tasks: [{ plugin: hello, task: heartbeat, interval: 1h }]\n");
    let running = Run::config(config.path()).log("info").start();
    running.wait_for_log("alive");
    drop(running.stop().expect_code(0));
}

#[test]
fn a_time_that_is_past_when_the_task_comes_into_service_is_not_made_up_for() {
    let (schedules, running) = start(&["past", "once"]);
    running.wait_for_log("once: schedules/once/");
    assert_eq!(row(&schedules, "past").unwrap()["runs"], 0);
    drop(running.stop().expect_code(0));
}
