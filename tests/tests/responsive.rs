//! The host deals with a verdict, a command and a stop at once, whatever a plugin does.

use std::time::{Duration, Instant};

use hotbay_tests::{
    ConfigFile, PluginsFolder, Run, Running, Signal, another_build, build_that, library, put, until,
};
use serde_json::Value;

const PLUGINS: [&str; 5] = ["numbers-source", "numbers-merge", "faulty", "stalls", "numbers-sink"];

/// How long a plugin may hang in these tests: far longer than what is waited for meanwhile.
const HANGS: Duration = Duration::from_secs(20);

fn pipeline() -> String {
    format!(
        "\
reload: {{ settle: 20ms, initialize: {HANGS:?}, probation: 60s }}
channels:
  raw: {{ capacity: 4096 }}
  merged: {{ capacity: 4096 }}
  passed: {{ capacity: 4096 }}
pipeline:
  time: live
  connectors: [{{ id: source, plugin: numbers-source, outputs: raw, config: {{ rate: 100 }} }}]
  aggregator: {{ id: merge, plugin: numbers-merge, inputs: raw, outputs: merged }}
  strategies:
    - {{ id: faulty, plugin: faulty, inputs: merged, outputs: passed }}
    - {{ id: stalls, plugin: stalls, inputs: merged }}
  executors: [{{ id: sink, plugin: numbers-sink, inputs: passed }}]
"
    )
}

/// A host in which one plugin is about to be replaced by a build that hangs.
struct Scene {
    folder: PluginsFolder,
    config: ConfigFile,
    running: Running,
    hanging_since: Instant,
}

impl Scene {
    fn start() -> Self {
        let folder = PluginsFolder::with(&PLUGINS);
        let config = ConfigFile::new(&folder, &pipeline());
        let running = Run::config(config.path()).log("info,hotbay_daemon=debug").start();
        until("events flow", || (events_of(&config, "sink")? > 0).then_some(()));
        put(&folder.file_of("stalls"), &build_that(library("stalls"), "hangs-initialize"));
        running.wait_for_log("Change { plugin: \"stalls\" }");
        Self { folder, config, running, hanging_since: Instant::now() }
    }

    /// Fails if the plugin that hangs was given up meanwhile: then nothing was shown.
    fn expect_hanging(&self) {
        assert!(self.hanging_since.elapsed() < HANGS, "the machine is too slow for this test");
        let records = self.config.records();
        assert!(records.iter().all(|it| it["plugin"] != "stalls"), "{records:?}");
    }
}

fn events_of(config: &ConfigFile, component: &str) -> Option<u64> {
    let status = config.status()?;
    let components = status["components"].as_array()?;
    components.iter().find(|it| it["id"] == component)?["events"].as_u64()
}

fn record_of(config: &ConfigFile, plugin: &str) -> Option<Value> {
    config.records().into_iter().find(|it| it["plugin"] == plugin)
}

#[test]
fn a_build_that_fails_on_probation_gives_way_while_another_plugin_hangs_in_initialize() {
    let scene = Scene::start();
    put(&scene.folder.file_of("faulty"), &build_that(library("faulty"), "fails-later"));
    scene.running.wait_for_log("the task failed on probation");
    let failed = Instant::now();
    let record = until("the roll-back", || record_of(&scene.config, "faulty"));
    eprintln!("on record after {:?} (goal: the old build is back within 100 ms)", failed.elapsed());
    assert_eq!(record["outcome"], "rolled-back");
    scene.expect_hanging();
    let before = events_of(&scene.config, "sink").expect("it runs");
    until("events flow again", || (events_of(&scene.config, "sink")? > before).then_some(()));
    scene.expect_hanging();
}

#[test]
fn another_plugin_is_replaced_and_the_status_is_told_while_one_hangs_in_initialize() {
    let scene = Scene::start();
    put(&scene.folder.file_of("numbers-sink"), &another_build(library("numbers-sink"), 1));
    let on_probation = || {
        let status = scene.config.status()?;
        let plugins = status["plugins"].as_array()?;
        let found =
            plugins.iter().any(|it| it["name"] == "numbers-sink" && it["state"] == "on-probation");
        found.then_some(())
    };
    until("the other plugin on probation", on_probation);
    scene.expect_hanging();
}

#[test]
fn a_stop_is_answered_at_once_while_a_plugin_hangs_in_initialize() {
    let scene = Scene::start();
    scene.running.signal(Signal::Terminate);
    let asked = Instant::now();
    scene.running.wait_for_log("stopping");
    eprintln!("stopping after {:?} (goal: 100 ms)", asked.elapsed());
    scene.expect_hanging();
    let hanging_since = scene.hanging_since;
    let ended = scene.running.wait().expect_code(0);
    assert_eq!(ended.report().outcome(), "stopped");
    assert!(hanging_since.elapsed() < HANGS, "it waited for the plugin that hangs");
}

#[test]
fn a_stop_is_answered_at_once_while_a_library_hangs_in_the_probe() {
    let folder = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::verbatim(&format!(
        "plugins: {{ folder: {}, probe_timeout: {HANGS:?} }}\nreload: {{ settle: 20ms }}\n",
        folder.path().display()
    ));
    let running = Run::config(config.path()).log("info,hotbay_daemon=debug").start();
    until("it runs", || config.status());
    folder.add("hangs");
    running.wait_for_log("Examine");
    let asked = Instant::now();
    running.signal(Signal::Interrupt);
    let ended = running.wait().expect_code(0);
    assert_eq!(ended.report().outcome(), "stopped");
    assert!(asked.elapsed() < HANGS, "it waited for the probe");
}

#[test]
fn a_stop_is_answered_at_once_while_libraries_hang_at_the_start() {
    let folder = PluginsFolder::with(&["hello", "hangs"]);
    let config = ConfigFile::verbatim(&format!(
        "plugins: {{ folder: {}, probe_timeout: {HANGS:?} }}\n",
        folder.path().display()
    ));
    let running = Run::config(config.path()).log("debug").start();
    // The signals are listened for before anything is loaded.
    running.wait_for_log("hangs");
    let asked = Instant::now();
    running.signal(Signal::Terminate);
    let ended = running.wait().expect_code(0);
    assert!(asked.elapsed() < HANGS, "it waited for the probe");
    ended.expect_stderr(&["stopped before everything was loaded"]);
}
