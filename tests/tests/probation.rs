//! The time in which a new build may be taken back, at its edges.

use hotbay_tests::{
    ConfigFile, PluginsFolder, Report, Run, Running, Signal, another_build, build_that, library,
    put, until,
};
use serde_json::Value;

const PLUGINS: [&str; 4] = ["numbers-source", "numbers-merge", "faulty", "numbers-sink"];

fn pipeline(probation: &str, source: &str) -> String {
    format!(
        "\
reload: {{ settle: 20ms, initialize: 500ms, probation: {probation} }}
channels:
  raw: {{ capacity: 4096 }}
  merged: {{ capacity: 4096 }}
  passed: {{ capacity: 4096 }}
pipeline:
  time: live
  connectors: [{source}]
  aggregator: {{ id: merge, plugin: numbers-merge, inputs: raw, outputs: merged }}
  strategies: [{{ id: faulty, plugin: faulty, inputs: merged, outputs: passed }}]
  executors: [{{ id: sink, plugin: numbers-sink, inputs: passed }}]
"
    )
}

fn source(config: &str) -> String {
    format!("{{ id: source, plugin: numbers-source, outputs: raw, config: {{ {config} }} }}")
}

/// A host under load.
struct Scene {
    folder: PluginsFolder,
    config: ConfigFile,
    running: Running,
}

impl Scene {
    fn start(yaml: &str) -> Self {
        let folder = PluginsFolder::with(&PLUGINS);
        let config = ConfigFile::new(&folder, yaml);
        let running = Run::config(config.path()).start();
        let scene = Self { folder, config, running };
        until("events flow", || (scene.received()? > 0).then_some(()));
        scene
    }

    fn put(&self, plugin: &str, behaviour: &str) {
        put(&self.folder.file_of(plugin), &build_that(library(plugin), behaviour));
    }

    fn component(&self, id: &str) -> Option<Value> {
        self.config.component(id)
    }

    fn received(&self) -> Option<u64> {
        self.component("sink")?["events"].as_u64()
    }

    fn record(&self, number: usize) -> Value {
        until("a record", || self.config.records().into_iter().nth(number))
    }

    fn stop(self) -> Report {
        self.running.signal(Signal::Terminate);
        self.end()
    }

    fn end(self) -> Report {
        self.running.wait().expect_code(0).report()
    }
}

fn expect_nothing_lost(report: &Report) {
    let [row] = report.section("numbers") else { panic!("one sink, one row") };
    assert_eq!((&row["missing"], &row["repeated"]), (&0.into(), &0.into()), "{row}");
    assert_eq!(row["renumbered"], 0, "{row}");
    assert_eq!(row["received"], report.channel("raw")["published"], "{row}");
}

#[test]
fn what_an_aggregator_had_in_hand_when_it_failed_comes_again() {
    let scene = Scene::start(&pipeline("20s", &source("rate: 10000")));
    scene.put("numbers-merge", "fails-later");
    assert_eq!(scene.record(0)["outcome"], "rolled-back");
    let before = scene.received().unwrap();
    until("events flow still", || (scene.received()? > before + 1_000).then_some(()));
    expect_nothing_lost(&scene.stop());
}

#[test]
fn a_build_that_fails_on_what_it_took_on_probation_has_failed_also_if_that_is_over() {
    let scene = Scene::start(&pipeline("100ms", &source("rate: 10000")));
    scene.put("faulty", "fails-slowly");
    assert_eq!(scene.record(0)["outcome"], "replaced");
    until("it has failed", || (scene.component("faulty")?["status"] == "failed").then_some(()));
}

#[test]
fn a_build_that_can_not_save_its_state_on_probation_gives_way() {
    let scene = Scene::start(&pipeline("20s", &source("rate: 10000")));
    scene.put("faulty", "saves-no-more");
    let record = scene.record(0);
    assert_eq!(record["outcome"], "rolled-back", "{record}");
    assert!(record["alert"].as_str().unwrap().contains("save_state"), "{record}");
    drop(scene.stop());
}

#[test]
fn a_build_that_fails_at_the_end_of_the_data_gives_way_to_one_that_sees_the_end() {
    let scene = Scene::start(&pipeline("20s", &source("rate: 10000, to: 30000")));
    scene.put("faulty", "fails-at-the-end");
    assert_eq!(scene.record(0)["outcome"], "rolled-back");
    let report = scene.end();
    expect_nothing_lost(&report);
    assert_eq!(report.section("numbers")[0]["ended"], true);
}

#[test]
fn a_probation_goes_on_when_the_configuration_is_read_again_and_says_the_same() {
    let scene = Scene::start(&pipeline("20s", &source("rate: 10000")));
    scene.put("faulty", "good");
    put(&scene.folder.file_of("faulty"), &another_build(library("faulty"), 2));
    let state = || {
        let status = scene.config.status()?;
        let mut plugins = status["plugins"].as_array()?.iter();
        Some(plugins.find(|it| it["name"] == "faulty")?["state"] == "on-probation")
    };
    until("it is on probation", || state()?.then_some(()));
    scene.running.signal(Signal::Hangup);
    let yaml = format!("{}# the same\n", pipeline("20s", &source("rate: 10000")));
    scene.config.rewrite(&scene.folder, &yaml);
    let before = scene.received().unwrap();
    until("events flow", || (scene.received()? > before + 10_000).then_some(()));
    assert_eq!((state(), scene.config.records().len()), (Some(true), 0));
    expect_nothing_lost(&scene.stop());
}

/// A pipeline with an executor that is busy for longer than removing it may take.
fn with_busy_executor(source: &str, channel: &str, executors: &str) -> String {
    format!(
        "\
reload: {{ settle: 20ms, probation: 60s }}
shutdown: {{ drain: 2s }}
channels:
  raw: {{ capacity: 4096 }}
  merged: {{ capacity: 4096 }}
  first: {{ capacity: 4096 }}
  second: {{ capacity: 4096 }}
pipeline:
  time: live
  connectors: [{source}]
  aggregator: {{ id: merge, plugin: numbers-merge, inputs: raw, outputs: merged }}
  strategies: [{{ id: faulty, plugin: faulty, inputs: merged, outputs: {channel} }}]
  executors: [{{ id: sink, plugin: numbers-sink, inputs: {channel} }}{executors}]
"
    )
}

#[test]
fn a_build_that_fails_while_its_new_configuration_is_applied_is_not_recorded_as_good() {
    let busy =
        ", { id: busy, plugin: numbers-sink, inputs: merged, config: { pause_us: 60000000 } }";
    let slow = source("batch: 1, pause_us: 500000");
    let scene = Scene::start(&with_busy_executor(&slow, "first", busy));
    scene.put("faulty", "fails-later");
    let on_probation = || {
        let status = scene.config.status()?;
        let mut plugins = status["plugins"].as_array()?.iter();
        plugins.find(|it| it["name"] == "faulty" && it["state"] == "on-probation")?;
        Some(())
    };
    until("it is on probation", on_probation);
    // With the many events that the source sends from now on, the build fails at once, while the
    // configuration is still being applied: the executor that it removes is busy.
    let yaml = with_busy_executor(&source("rate: 10000"), "second", "");
    scene.config.rewrite(&scene.folder, &yaml);
    let record = scene.record(0);
    assert_eq!(record["outcome"], "replaced", "{record}");
    let alert = record["alert"].as_str().unwrap_or_else(|| panic!("no alert: {record}"));
    for text in ["failed on probation", "stays in service", "as its build says"] {
        assert!(alert.contains(text), "{text} is missing in: {alert}");
    }
    until("it has failed", || (scene.component("faulty")?["status"] == "failed").then_some(()));
}

#[test]
fn a_component_that_had_ended_is_shut_down_with_its_build() {
    let sources = "\
{ id: short, plugin: numbers-source, outputs: raw, config: { to: 10 } }, \
{ id: source, plugin: numbers-source, outputs: raw, config: { rate: 1000 } }";
    let scene = Scene::start(&pipeline("100ms", sources));
    until("one has ended", || (scene.component("short")?["status"] == "finished").then_some(()));
    put(&scene.folder.file_of("numbers-source"), &another_build(library("numbers-source"), 2));
    assert_eq!(scene.record(0)["outcome"], "replaced");
    let report = scene.stop();
    assert_eq!(report.problems(), Vec::<String>::new());
}

#[test]
fn a_component_that_never_initializes_keeps_nobody_from_anything() {
    let folder = PluginsFolder::with(&PLUGINS[..2]);
    folder.add("numbers-sink");
    let config = ConfigFile::new(&folder, &pipeline("1s", &source("rate: 1000")));
    let running = Run::config(config.path()).start();
    until("it runs", || config.status());
    put(&folder.file_of("faulty"), &build_that(library("faulty"), "hangs-initialize"));
    let scene = Scene { folder, config, running };
    until("the others run", || (scene.component("source")?["status"] == "running").then_some(()));
    scene.running.signal(Signal::Terminate);
    drop(scene.running.wait());
    // And from the beginning.
    let running = Run::config(scene.config.path()).log("info").start();
    running.wait_for_log("starting the pipeline");
    running.signal(Signal::Terminate);
    drop(running.wait());
}

#[test]
fn a_turn_that_receives_without_end_on_probation_costs_the_way_back_and_not_the_memory() {
    let folder = PluginsFolder::with(&["numbers-source", "receives", "numbers-pass"]);
    folder.add("numbers-sink");
    let yaml = "\
reload: { settle: 20ms, probation: 10m }
channels:
  raw: { capacity: 4096 }
  merged: { capacity: 4096 }
  passed: { capacity: 4096 }
pipeline:
  time: live
  connectors: [{ id: source, plugin: numbers-source, outputs: raw }]
  aggregator:
    { id: merge, plugin: receives, inputs: raw, outputs: merged, config: { way: endless } }
  strategies: [{ id: pass, plugin: numbers-pass, inputs: merged, outputs: passed }]
  executors: [{ id: sink, plugin: numbers-sink, inputs: passed }]
";
    let config = ConfigFile::new(&folder, yaml);
    let running = Run::config(config.path()).log("warn").start();
    let scene = Scene { folder, config, running };
    until("it runs", || (scene.component("merge")?["status"] == "running").then_some(()));
    put(&scene.folder.file_of("receives"), &another_build(library("receives"), 2));
    let record = scene.record(0);
    assert_eq!(record["outcome"], "replaced", "{record}");
    let note = record["notes"][0].as_str().unwrap_or_else(|| panic!("no note: {record}"));
    assert!(note.contains("merge received more in one turn than is kept"), "{note}");
    scene.running.wait_for_log("the probation ended early");
    let state = until("the status", || {
        let status = scene.config.status()?;
        let plugins = status["plugins"].as_array()?;
        let state = plugins.iter().find(|it| it["name"] == "receives")?["state"].clone();
        (state == "in-service").then_some(state)
    });
    assert_eq!(state, "in-service");
}
