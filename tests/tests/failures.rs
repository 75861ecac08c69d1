//! One failing component or task never takes another down, and the report says what happened.

use hotbay_tests::{ConfigFile, PluginsFolder, Report, Run, Signal};

/// A pipeline of the fixture `panics`, with `panic: PHASE` at one of its components.
fn pipeline(faulty: &str, phase: &str) -> String {
    let config =
        |id: &str| if id == faulty { format!("{{ panic: {phase} }}") } else { "{}".into() };
    let [source, merge, strategy, executor] =
        ["source", "merge", "strategy", "executor"].map(config);
    format!(
        "\
channels:
  raw: {{ capacity: 64 }}
  merged: {{ capacity: 64 }}
  decided: {{ capacity: 64 }}
pipeline:
  time: replay
  connectors:
    - {{ id: source, plugin: panics, outputs: raw, config: {source} }}
  aggregator: {{ id: merge, plugin: panics, inputs: raw, outputs: merged, config: {merge} }}
  strategies:
    - {{ id: strategy, plugin: panics, inputs: merged, outputs: decided, config: {strategy} }}
    - {{ id: neighbour, plugin: numbers-pass, inputs: merged, outputs: decided }}
  executors:
    - {{ id: executor, plugin: panics, inputs: decided, config: {executor} }}
    - {{ id: other, plugin: panics, inputs: decided }}
"
    )
}

fn folder() -> PluginsFolder {
    PluginsFolder::with(&["panics", "numbers-pass"])
}

fn failed(faulty: &str, phase: &str) -> Report {
    let folder = folder();
    let config = ConfigFile::new(&folder, &pipeline(faulty, phase));
    let ended = Run::config(config.path()).finish().expect_code(1);
    ended.expect_stderr(&[&format!("hotbay: {faulty}: ")]);
    let report = ended.report();
    assert_eq!(report.outcome(), "failed");
    report
}

fn assert_panicked(report: &Report, id: &str, status: &str, phase: &str) {
    let row = report.component(id);
    assert_eq!(row["status"], status, "{row}");
    let error = row["error"].as_str().unwrap_or_default();
    assert!(error.contains(&format!("panicked: as configured, in {phase}")), "{row}");
}

#[test]
fn without_a_fault_everything_goes_through() {
    let folder = folder();
    let config = ConfigFile::new(&folder, &pipeline("nobody", "never"));
    let report = Run::config(config.path()).finish().expect_code(0).report();
    assert_eq!(report.channel("decided")["published"], 20);
    assert_eq!(report.component("other")["events"], 20);
}

#[test]
fn a_panicking_source_ends_the_data_and_nothing_else() {
    let report = failed("source", "work");
    assert_panicked(&report, "source", "failed", "Work");
    assert_eq!(report.channel("raw")["published"], 2, "what it sent before its panic stays sent");
    for id in ["merge", "strategy", "neighbour", "executor", "other"] {
        assert_eq!(report.component(id)["status"], "finished", "{id}");
    }
    assert_eq!(report.component("other")["events"], 4);
}

#[test]
fn a_panicking_strategy_leaves_its_neighbours_running() {
    let report = failed("strategy", "work");
    assert_panicked(&report, "strategy", "failed", "Work");
    assert_eq!(report.component("neighbour")["events"], 10);
    // Ten from the neighbour, two from the strategy before its third event.
    assert_eq!(report.component("executor")["events"], 12);
    assert_eq!(report.component("executor")["status"], "finished");
}

#[test]
fn a_panicking_executor_leaves_the_other_one_running() {
    let report = failed("executor", "work");
    assert_panicked(&report, "executor", "failed", "Work");
    assert_eq!(report.component("other")["events"], 20);
    assert_eq!(report.component("source")["status"], "finished", "nobody waits for the dead");
}

#[test]
fn a_panic_at_the_end_of_the_data_is_that_components_failure() {
    let report = failed("strategy", "end");
    assert_panicked(&report, "strategy", "failed", "End");
    assert_eq!(report.component("executor")["events"], 20);
}

#[test]
fn a_panic_in_shutdown_is_reported_and_the_other_hooks_still_run() {
    let folder = folder();
    let config = ConfigFile::new(&folder, &pipeline("strategy", "shutdown"));
    let ended = Run::config(config.path()).log("info").finish().expect_code(1);
    let hooks = ended.stderr.matches("shut down in good order").count();
    assert_eq!(hooks, 2, "both executors:\n{}", ended.stderr);
    let report = ended.report();
    let error = report.component("strategy")["error"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains("as configured, in Shutdown"), "{error}");
    assert_eq!(report.component("executor")["events"], 20);
}

#[test]
fn a_panic_in_initialize_stops_the_start_and_names_the_component() {
    let folder = folder();
    for id in ["source", "merge", "strategy", "executor"] {
        let config = ConfigFile::new(&folder, &pipeline(id, "initialize"));
        let ended = Run::config(config.path()).finish().expect_code(1);
        ended.expect_stderr(&[id, "as configured, in Initialize"]);
    }
}

#[test]
fn a_panic_while_a_component_is_made_is_told_with_its_name() {
    let folder = folder();
    for id in ["source", "merge", "strategy", "executor"] {
        let config = ConfigFile::new(&folder, &pipeline(id, "create"));
        let ended = Run::config(config.path()).finish().expect_code(1);
        ended.expect_stderr(&[id, "plugin panics", "as configured, in Create"]);
    }
}

#[test]
fn a_panic_in_a_destructor_is_logged_and_harms_nobody() {
    let folder = folder();
    let config = ConfigFile::new(&folder, &pipeline("strategy", "drop"));
    let ended = Run::config(config.path()).finish().expect_code(0);
    ended.expect_stderr(&["a destructor panicked", "as configured, in Drop"]);
    assert_eq!(ended.report().component("executor")["events"], 20);
}

#[test]
fn a_panic_in_a_configurations_check_is_a_finding() {
    let folder = folder();
    let config = ConfigFile::new(&folder, &pipeline("source", "check"));
    let ended = Run::config(config.path()).finish().expect_code(2);
    ended.expect_stderr(&["hotbay.yaml:9:", "as configured, in Check"]);
}

#[test]
fn a_failed_run_of_a_task_that_runs_again_is_no_failure_of_the_host_in_either_format() {
    let folder = PluginsFolder::with(&["failing-tasks"]);
    let once = ["fails-once", "drops-badly"];
    let once =
        once.map(|it| format!("  - {{ plugin: failing-tasks, task: {it}, enabled: false }}"));
    let config = ConfigFile::new(&folder, &format!("tasks:\n{}\n", once.join("\n")));
    for format in ["json", "table"] {
        let path = config.path();
        let run = ["run".as_ref(), path.as_os_str(), "--output".as_ref(), format.as_ref()];
        let running = Run::new(run).start();
        running.wait_for_log("panicked: in a sync task");
        running.signal(Signal::Terminate);
        let ended = running.wait().expect_code(0);
        assert!(ended.stdout.contains("failing-tasks/panics-sync"), "{}", ended.stdout);
        if format == "json" {
            let report = ended.report();
            assert_eq!(report.outcome(), "stopped");
            assert!(report.task("failing-tasks/panics-sync")["failed"].as_u64() > Some(0));
        }
    }
}

#[test]
fn failing_tasks_fail_alone_and_periodic_ones_come_again() {
    let folder = PluginsFolder::with(&["failing-tasks"]);
    let config = ConfigFile::new(&folder, "shutdown: { drain: 2s }\n");
    let running = Run::config(config.path()).start();
    let often = |text: &str| running.stderr().matches(text).count() >= 3;
    hotbay_tests::until("three runs of each panicking task", || {
        (often("panicked: in an async task") && often("panicked: in a sync task")).then_some(())
    });
    running.signal(Signal::Terminate);
    let ended = running.wait().expect_code(1);
    ended.expect_stderr(&["failing-tasks/panics", "failing-tasks/panics-sync"]);
    let report = ended.report();
    for (task, error) in [
        ("panics", "panicked: in an async task"),
        ("panics-sync", "panicked: in a sync task"),
        ("fails-once", "execution failed: there is no paper"),
    ] {
        let row = report.task(&format!("failing-tasks/{task}"));
        assert_eq!(row["runs"], row["failed"], "{row}");
        assert_eq!(row["last_error"], error, "{row}");
    }
    let works = report.task("failing-tasks/works");
    assert_eq!(works["failed"], 0);
    assert!(works["runs"].as_u64().unwrap() >= 3, "{works}");
    assert_eq!(report.counter("failing-tasks/works.runs"), works["runs"].as_u64().unwrap());
    assert_eq!(report.problems(), [""; 0], "all of them stopped");
}
