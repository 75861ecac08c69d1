//! The tasks of `PLUGIN_TASKS`: at start, at an interval, async and sync, as configured.

use hotbay_tests::{ConfigFile, PluginsFolder, Run, Signal, until};

#[test]
fn tasks_run_at_start_and_at_their_interval_async_and_sync() {
    let folder = PluginsFolder::with(&["hello"]);
    let yaml = "\
tasks:
  - { plugin: hello, task: heartbeat, interval: 20ms }
  - { plugin: hello, task: greet, config: { name: Ada } }
";
    let config = ConfigFile::new(&folder, yaml);
    let running = Run::config(config.path()).log("info").start();
    let beats = |log: &str| log.matches("alive").count();
    until("five beats, the greeting and the primes", || {
        let log = running.stderr();
        (beats(&log) >= 5 && log.contains("hello ") && log.contains("primes")).then_some(())
    });
    running.signal(Signal::Terminate);
    let ended = running.wait().expect_code(0);
    ended.expect_stderr(&["Ada"]);
    let report = ended.report();
    let heartbeat = report.task("hello/heartbeat");
    assert_eq!(
        (&heartbeat["kind"], &heartbeat["schedule"]),
        (&"async".into(), &"every 20ms".into())
    );
    assert_eq!(report.counter("hello/heartbeat.beats"), heartbeat["runs"].as_u64().unwrap());
    assert!(heartbeat["runs"].as_u64().unwrap() >= 5);
    assert!(heartbeat.get("waits").is_none(), "it had its plugin until the end: {heartbeat}");
    for (task, kind) in [("hello/greet", "async"), ("hello/primes", "sync")] {
        let row = report.task(task);
        assert_eq!((&row["kind"], &row["schedule"]), (&kind.into(), &"at start".into()));
        assert_eq!((&row["runs"], &row["failed"]), (&1.into(), &0.into()));
    }
}

#[test]
fn a_task_that_is_switched_off_does_not_run() {
    let folder = PluginsFolder::with(&["hello"]);
    let yaml = "\
tasks:
  - { plugin: hello, task: heartbeat, enabled: false }
  - { plugin: hello, task: greet, enabled: false }
";
    let config = ConfigFile::new(&folder, yaml);
    let running = Run::config(config.path()).log("info").start();
    running.wait_for_log("primes below");
    running.signal(Signal::Terminate);
    let ended = running.wait().expect_code(0);
    let report = ended.report();
    assert_eq!(report.0["tasks"].as_array().unwrap().len(), 1);
    assert!(!ended.stderr.contains("alive") && !ended.stderr.contains("greet"), "{}", ended.stderr);
}

#[test]
fn a_task_that_asks_for_more_than_the_scheduler_honours_is_refused_with_that_reason() {
    let folder = PluginsFolder::with(&["asks"]);
    let config = ConfigFile::new(&folder, "");
    let ended = Run::new(["validate".as_ref(), config.path().as_os_str()]).finish().expect_code(2);
    for (task, wish) in [
        ("never", "has a wrong schedule: `0 0 30 2 *` never matches: no such date exists"),
        ("vague", "is due at `tomorrow`, which is no time"),
        ("after", "depends on `plane`, which the plugin does not have; it has `plain`"),
        ("asking", "asks for arguments (`arguments`), which this host does not honour yet"),
    ] {
        let message = format!("task `{task}` of plugin `asks` {wish}");
        ended.expect_stderr(&["libasks.so", &message]);
    }
    ended.expect_stderr(&["enabled: false"]);
    assert!(!ended.stderr.contains("`plain` of"), "{}", ended.stderr);
}

#[test]
fn switched_off_a_refused_task_is_no_obstacle() {
    let folder = PluginsFolder::with(&["asks"]);
    let off = |task| format!("  - {{ plugin: asks, task: {task}, enabled: false }}\n");
    let tasks = ["never", "vague", "after", "asking"].map(off).concat();
    let config = ConfigFile::new(&folder, &format!("tasks:\n{tasks}"));
    let ended = Run::new(["validate".as_ref(), config.path().as_os_str()]).finish().expect_code(0);
    assert!(ended.stdout.contains("0 components, 1 task"), "{}", ended.stdout);
}

#[test]
fn a_task_that_its_plugin_switches_off_runs_if_the_configuration_switches_it_on() {
    let folder = PluginsFolder::with(&["asks"]);
    let entry =
        |task, enabled| format!("  - {{ plugin: asks, task: {task}, enabled: {enabled} }}\n");
    let off = ["never", "vague", "after", "asking"].map(|task| entry(task, false));
    let tasks = off.concat() + &entry("dormant", true);
    let config = ConfigFile::new(&folder, &format!("tasks:\n{tasks}"));
    let ended = Run::new(["validate".as_ref(), config.path().as_os_str()]).finish().expect_code(0);
    assert!(ended.stdout.contains("0 components, 2 tasks"), "{}", ended.stdout);
}

#[test]
fn tasks_that_depend_on_each_other_are_named_and_cost_only_their_plugin() {
    let folder = PluginsFolder::with(&["asks", "hello"]);
    let entry =
        |task, enabled| format!("  - {{ plugin: asks, task: {task}, enabled: {enabled} }}\n");
    let off = ["never", "vague", "after", "asking"].map(|task| entry(task, false));
    let tasks = off.concat() + &entry("chicken", true) + &entry("egg", true);
    let config = ConfigFile::new(&folder, &format!("tasks:\n{tasks}"));
    let cycle = "tasks depend on each other: asks/chicken on asks/egg on asks/chicken";
    let ended = Run::new(["validate".as_ref(), config.path().as_os_str()]).finish().expect_code(2);
    ended.expect_stderr(&["libasks.so", cycle, "remove one of these from `depends_on`"]);
    let running = Run::config(config.path()).log("info").start();
    running.wait_for_log("primes below");
    running.wait_for_log(cycle);
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn a_task_that_the_plugin_does_not_have_is_answered_with_those_that_it_has() {
    let folder = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::new(&folder, "tasks: [{ plugin: hello, task: greeet }]\n");
    let ended = Run::config(config.path()).finish().expect_code(2);
    ended.expect_stderr(&[
        "hotbay.yaml:2:32: plugin `hello` has no task `greeet`",
        "it has `greet`, `heartbeat`, `primes`",
    ]);
}

#[test]
fn a_wrong_setting_of_a_task_is_refused_with_the_key_named() {
    let folder = PluginsFolder::with(&["hello"]);
    let yaml = "tasks: [{ plugin: hello, task: greet, config: { nam: Ada } }]\n";
    let config = ConfigFile::new(&folder, yaml);
    let ended = Run::config(config.path()).finish().expect_code(2);
    ended.expect_stderr(&["hotbay.yaml:2:", "unknown field `nam`, expected `name`"]);
}

#[test]
fn tokios_timers_sockets_and_spawned_tasks_work_inside_a_plugin_and_end_with_it() {
    let folder = PluginsFolder::with(&["spawns"]);
    let config = ConfigFile::new(&folder, "");
    let running = Run::config(config.path()).log("info").start();
    running.wait_for_log("loaded");
    until("the plugin's runtime", || {
        let names = hotbay_tests::proc::thread_names(running.id());
        names.iter().any(|name| name.starts_with("hotbay-plugin")).then_some(())
    });
    // Its tasks are over in milliseconds; what they spawned goes on.
    std::thread::sleep(std::time::Duration::from_millis(200));
    running.signal(Signal::Terminate);
    let ended = running.wait().expect_code(0);
    let report = ended.report();
    assert_eq!(report.counter("spawns/sleeps.slept"), 1);
    assert_eq!(report.counter("spawns/sleeps.timed-out"), 1);
    assert_eq!(report.counter("spawns/talks.echoed"), 5);
    assert!(report.counter("spawns/leaves-behind.ticks") > 10);
    // A plugin that did not go is told on standard error.
    assert!(!ended.stderr.contains("stays"), "{}", ended.stderr);
}
