//! Tasks whose plugin is replaced: a run ends on the build that it began on, or is
//! cancelled at the drain limit; the schedule and the history go on.

use hotbay_tests::{
    ConfigFile, PluginsFolder, Run, Running, build_that, library, put, switched_off, until,
};

const TASKS: [&str; 5] = ["slow", "endless", "patient", "picky", "once"];

/// A host that runs one of the tasks.
fn start(task: &str, drain: &str) -> (PluginsFolder, ConfigFile, Running) {
    let folder = PluginsFolder::with(&["slow-tasks"]);
    let off = switched_off("slow-tasks", &TASKS, &[task]);
    let yaml = format!(
        "reload: {{ settle: 20ms, probation: 5s }}\nshutdown: {{ drain: {drain} }}\ntasks:\n{off}"
    );
    let config = ConfigFile::new(&folder, &yaml);
    let running = Run::config(config.path()).log("info").start();
    (folder, config, running)
}

fn replace(folder: &PluginsFolder, word: &str) {
    put(&folder.file_of("slow-tasks"), &build_that(library("slow-tasks"), word));
}

#[test]
fn a_run_under_way_ends_on_the_build_that_it_began_on() {
    let (folder, config, running) = start("slow", "10s");
    running.wait_for_log("slow begins in first");
    replace(&folder, "second");
    running.wait_for_log("slow begins in second");
    let log = running.stderr();
    let [ends, begins] =
        ["slow ends in first", "slow begins in second"].map(|text| log.find(text).unwrap());
    assert!(ends < begins, "one after the other, without a gap in which both run:\n{log}");
    running.wait_for_log("slow ends in second");
    let report = running.stop().expect_code(0).report();
    let row = report.task("slow-tasks/slow");
    assert!(row["runs"].as_u64().unwrap() >= 2, "the history goes on: {row}");
    assert_eq!(row["failed"], 0, "{row}");
    drop(config);
}

#[test]
fn a_run_that_outlasts_the_drain_limit_is_cancelled_when_the_old_build_goes() {
    let folder = PluginsFolder::with(&["slow-tasks"]);
    let yaml = "\
reload: { settle: 20ms, probation: 0s }
shutdown: { drain: 200ms }
tasks:
  - { plugin: slow-tasks, task: slow, enabled: false }
  - { plugin: slow-tasks, task: picky, enabled: false }
  - { plugin: slow-tasks, task: once, enabled: false }
";
    let config = ConfigFile::new(&folder, yaml);
    let running = Run::config(config.path()).log("info").start();
    running.wait_for_log("endless begins in first");
    running.wait_for_log("patient begins in first");
    replace(&folder, "second");
    running.wait_for_log("patient was told to end in first");
    running.wait_for_log("endless begins in second");
    running.wait_for_log("patient begins in second");
    running.wait_for_log("interrupted, because its build is unloaded");
    let report = running.stop().report();
    assert_eq!(report.problems(), [""; 0], "both builds went");
}

#[test]
fn a_task_that_fails_only_in_the_new_build_brings_the_old_one_back() {
    let (folder, config, running) = start("picky", "2s");
    until("it has run", || {
        let status = config.status()?;
        (status["tasks"][0]["runs"].as_u64()? > 2).then_some(())
    });
    replace(&folder, "picky");
    let record = until("the record", || config.records().pop());
    assert_eq!(record["outcome"], "rolled-back", "{record}");
    assert_eq!(record["reason"], "task slow-tasks/picky: execution failed: not in this build");
    let status = config.status().unwrap();
    let (runs, failed) = (&status["tasks"][0]["runs"], &status["tasks"][0]["failed"]);
    let (runs, failed) = (runs.as_u64().unwrap(), failed.as_u64().unwrap());
    until("it runs in the old build again", || {
        let task = config.status()?["tasks"][0].clone();
        (task["runs"].as_u64()? > runs + 3 && task["failed"].as_u64()? <= failed + 1).then_some(())
    });
    drop(running.stop());
}

#[test]
fn a_task_that_runs_once_does_not_run_again_in_the_new_build() {
    let (folder, config, running) = start("once", "2s");
    running.wait_for_log("once, in first");
    replace(&folder, "second");
    until("the new build is there", || {
        let status = config.status()?;
        (status["plugins"][0]["generation"] == 2).then_some(())
    });
    let ended = running.stop().expect_code(0);
    assert_eq!(ended.report().task("slow-tasks/once")["runs"], 1);
    assert!(!ended.stderr.contains("once, in second"), "{}", ended.stderr);
}
