//! Tasks that run for the events of a channel.

use std::path::PathBuf;

use hotbay_tests::{ConfigFile, PluginsFolder, Run, Running, only_scheduled, until};
use serde_json::Value;

/// A pipeline whose source sends 50 events in a second to the channel `raw`.
const NUMBERS: &str = "\
channels: { raw: { capacity: 64 }, merged: { capacity: 64 }, passed: { capacity: 64 } }
pipeline:
  time: live
  connectors: [{ id: source, plugin: numbers-source, outputs: raw, config: { rate: 50 } }]
  aggregator: { id: merge, plugin: numbers-merge, inputs: raw, outputs: merged }
  strategies: [{ id: pass, plugin: numbers-pass, inputs: merged, outputs: passed }]
  executors: [{ id: sink, plugin: numbers-sink, inputs: passed }]
";

/// The configuration of a host that follows changes at once, with the pipeline and these entries of
/// tasks.
fn with_entries(entries: &str) -> String {
    let off = only_scheduled(&[]);
    format!("reload: {{ watch: true, settle: 20ms }}\ntasks:\n{off}{entries}{NUMBERS}")
}

fn start(config: &ConfigFile) -> Running {
    Run::config(config.path()).log("info").start()
}

/// The row of a task in the status.
fn row(config: &ConfigFile, task: &str) -> Option<Value> {
    config.entry("tasks", "id", task)
}

fn numbers_and_schedules() -> PluginsFolder {
    let plugins = ["schedules", "numbers-source", "numbers-merge", "numbers-pass", "numbers-sink"];
    PluginsFolder::with(&plugins)
}

#[test]
fn a_task_runs_for_each_event_of_a_channel_with_the_event_as_its_argument() {
    let folder = numbers_and_schedules();
    let yaml = |schedule: &str| {
        let task = format!("  - {{ name: hears, overlap: queue, schedule: {schedule} }}\n");
        with_entries(&task)
    };
    let config = ConfigFile::new(&folder, &yaml("{ event: row }"));
    let refused =
        Run::new(["validate".as_ref(), config.path().as_os_str()]).finish().expect_code(2);
    refused.expect_stderr(&[
        "runs for the events of `row`, which is no channel; did you mean `raw`? the configuration \
         declares `raw`, `merged`, `passed`",
    ]);
    let config = ConfigFile::new(&folder, &yaml("{ event: raw }"));
    let running = start(&config);
    for (seq, number) in [(0, "01"), (1, "02"), (2, "03"), (40, "29")] {
        running.wait_for_log(&format!("hears: raw {seq} {number}00000000000000"));
    }
    // An edit takes effect in both directions.
    config.rewrite(&folder, &yaml("manual"));
    let is = |words: &str| {
        let says = || (row(&config, "schedules/hears")?["schedule"] == words).then_some(());
        until(words, says);
    };
    is("on request");
    let runs = || row(&config, "schedules/hears").and_then(|row| row["runs"].as_u64());
    until("it hears nothing more", || {
        let before = runs();
        std::thread::sleep(std::time::Duration::from_millis(300));
        (before.is_some() && before == runs()).then_some(())
    });
    let before = runs();
    config.rewrite(&folder, &yaml("{ event: merged }"));
    is("for each event of merged");
    running.wait_for_log("hears: merged ");
    assert!(runs() > before);
    drop(running.stop().expect_code(0));
}

#[test]
fn events_without_a_run_are_recorded_with_the_run_in_the_way_and_many_of_them_together() {
    let folder = numbers_and_schedules();
    let task = "  - { name: waits, schedule: { event: raw } }\n";
    let config = ConfigFile::new(&folder, &with_entries(task));
    let asked = |command: &str| {
        let arguments = ["task", command].map(PathBuf::from).into_iter();
        let more = ["waits", "--output", "json"].map(PathBuf::from);
        let ended = Run::new(arguments.chain([config.path()]).chain(more)).finish();
        serde_json::from_str::<Value>(&ended.expect_code(0).stdout).unwrap()
    };
    let running = start(&config);
    until("the host answers", || config.status());
    let skipped = || asked("show")["task"]["counts"]["skipped"].as_u64();
    until("30 events had no run", || skipped().filter(|it| *it >= 30));
    let history = asked("history");
    let [first, run] = &history.as_array().unwrap()[..] else { panic!("{history}") };
    assert_eq!((&run["cause"], &run["state"]), (&"event of raw".into(), &"running".into()));
    let way = format!("run {} of the task has not ended", run["run"]);
    assert_eq!((&first["cause"], &first["state"]), (&run["cause"], &"skipped".into()));
    assert_eq!((&first["reason"], &first["by"]), (&way.as_str().into(), &run["run"]), "{first}");
    drop(running.stop());
    // The next host knows of all of them.
    config.rewrite(&folder, &with_entries("  - { name: waits, schedule: manual }\n"));
    let running = start(&config);
    until("the host answers", || config.status());
    let history = asked("history");
    let [others, _, same_run] = &history.as_array().unwrap()[..] else { panic!("{history}") };
    assert_eq!(same_run["cause"], "event of raw");
    let reason = others["reason"].as_str().unwrap();
    let others = skipped().unwrap() - 1;
    let said = format!("{way} (the last of {others} events without a run since ");
    assert!(others >= 29 && reason.starts_with(&said), "{reason}; {said}");
    drop(running.stop());
}

#[test]
fn an_event_of_a_paused_task_has_no_run() {
    let folder = numbers_and_schedules();
    let task = "  - { name: hears, overlap: queue, schedule: { event: raw } }\n";
    let config = ConfigFile::new(&folder, &with_entries(task));
    let running = start(&config);
    let ask = |command: &str| {
        let arguments = ["task", command].map(PathBuf::from).into_iter();
        let more = ["hears", "--output", "json"].map(PathBuf::from);
        Run::new(arguments.chain([config.path()]).chain(more)).finish().expect_code(0).stdout
    };
    running.wait_for_log("hears: raw 0 ");
    drop(ask("pause"));
    until("an event of the paused task is recorded", || {
        let history: Value = serde_json::from_str(&ask("history")).unwrap();
        let in_state = |state| history.as_array()?.iter().find(|run| run["state"] == state);
        let skipped = in_state("skipped")?;
        let told = (&skipped["cause"], &skipped["reason"]);
        assert_eq!(told, (&"event of raw".into(), &"the task is paused".into()));
        assert_eq!(in_state("succeeded")?["cause"], "event of raw");
        Some(())
    });
    drop(running.stop());
}
