//! New builds that are no good: the old one goes on, and no event is lost by it.

use std::fs;

use hotbay_tests::{
    ConfigFile, PluginsFolder, Report, Run, Running, Signal, build_that, library, put, until,
};
use serde_json::Value;

const PLUGINS: [&str; 4] = ["numbers-source", "numbers-merge", "faulty", "numbers-sink"];

/// Numbers through the strategy `faulty`.
fn pipeline(reload: &str, faulty: &str) -> String {
    format!(
        "\
reload: {{ settle: 20ms, {reload} }}
channels:
  raw: {{ capacity: 4096 }}
  merged: {{ capacity: 4096 }}
  passed: {{ capacity: 4096 }}
pipeline:
  time: live
  connectors: [{{ id: source, plugin: numbers-source, outputs: raw, config: {{ rate: 10000 }} }}]
  aggregator: {{ id: merge, plugin: numbers-merge, inputs: raw, outputs: merged }}
  strategies: [{{ id: faulty, plugin: faulty, inputs: merged, outputs: passed{faulty} }}]
  executors: [{{ id: sink, plugin: numbers-sink, inputs: passed }}]
"
    )
}

/// A host under load whose plugin `faulty` is replaced.
struct Replaced {
    folder: PluginsFolder,
    config: ConfigFile,
    running: Running,
    /// The build that was there first.
    hash: String,
}

impl Replaced {
    fn start(reload: &str, faulty: &str) -> Self {
        let folder = PluginsFolder::with(&PLUGINS);
        let config = ConfigFile::new(&folder, &pipeline(reload, faulty));
        let running = Run::config(config.path()).start();
        let hash =
            until("events flow", || (received(&config)? > 0).then(|| in_service(&config))?);
        Self { folder, config, running, hash }
    }

    /// Puts another build in the place of the library.
    fn put(&self, behaviour: &str) {
        put(&self.folder.file_of("faulty"), &build_that(library("faulty"), behaviour));
    }

    /// The only record so far.
    fn record(&self) -> Value {
        let record = until("the record of the replacement", || self.config.records().pop());
        assert_eq!(self.config.records().len(), 1, "one record");
        record
    }

    /// Events flow still, the old build is in service, and nothing was lost or repeated.
    fn expect_undisturbed(self) -> Report {
        let before = received(&self.config).expect("it runs");
        until("two thousand more events", || {
            (received(&self.config)? > before + 2_000).then_some(())
        });
        assert_eq!(in_service(&self.config).as_ref(), Some(&self.hash), "the old build");
        self.expect_nothing_lost()
    }

    fn expect_nothing_lost(self) -> Report {
        self.running.signal(Signal::Terminate);
        let report = self.running.wait().report();
        let [row] = report.section("numbers") else { panic!("one sink, one row") };
        assert_eq!((&row["missing"], &row["repeated"]), (&0.into(), &0.into()), "{row}");
        assert_eq!(row["renumbered"], 0, "{row}");
        assert_eq!(row["received"], report.channel("raw")["published"], "{row}");
        assert_eq!(self.config.records().len(), 1, "still one record");
        report
    }
}

/// What came to the end of the pipeline.
fn received(config: &ConfigFile) -> Option<u64> {
    let status = config.status()?;
    let components = status["components"].as_array()?;
    components.iter().find(|it| it["id"] == "sink")?["events"].as_u64()
}

/// The hash of the build in service.
fn in_service(config: &ConfigFile) -> Option<String> {
    let status = config.status()?;
    let mut plugins = status["plugins"].as_array()?.iter();
    let service = plugins.find(|it| {
        it["name"] == "faulty" && (it["state"] == "in-service" || it["state"] == "on-probation")
    });
    Some(service?["hash"].as_str()?.to_owned())
}

/// A build that never comes into service.
fn refused(behaviour: &str, step: &str, reason: &str) -> Report {
    let replaced = Replaced::start("initialize: 500ms", "");
    replaced.put(behaviour);
    let record = replaced.record();
    assert_eq!((&record["outcome"], &record["step"]), (&"refused".into(), &step.into()));
    let text = record["reason"].as_str().unwrap_or_default();
    assert!(text.contains("faulty: ") && text.contains(reason), "{text}");
    assert_eq!(record["from"]["hash"], replaced.hash.as_str());
    let alert = record["alert"].as_str().unwrap_or_default();
    assert!(alert.contains("plugin faulty") && alert.contains(reason), "{alert}");
    replaced.expect_undisturbed()
}

#[test]
fn a_bad_build_that_comes_under_another_name_does_not_retire_the_old_one() {
    let replaced = Replaced::start("initialize: 500ms", "");
    fs::remove_file(replaced.folder.file_of("faulty")).unwrap();
    let build = build_that(library("faulty"), "fails-initialize");
    put(&replaced.folder.path().join("another-name.so"), &build);
    assert_eq!(replaced.record()["outcome"], "refused");
    replaced.expect_undisturbed();
}

#[test]
fn a_build_that_can_not_make_its_component_is_refused() {
    refused("fails-create", "create", "as its build says");
}

#[test]
fn a_build_that_fails_to_initialize_is_refused() {
    refused("fails-initialize", "initialize", "as its build says");
}

#[test]
fn a_build_that_panics_in_initialize_is_refused() {
    refused("panics-initialize", "initialize", "panicked: as its build says");
}

#[test]
fn a_build_that_never_ends_its_initialize_is_refused_at_the_limit() {
    refused("hangs-initialize", "initialize", "not over within 500ms");
}

#[test]
fn a_build_that_keeps_its_thread_in_initialize_is_refused_and_named() {
    let report = refused("blocks-initialize", "initialize", "not over within 500ms");
    let problem = report.problems().join("\n");
    assert!(problem.contains("plugin faulty (generation 5) stays mapped: "), "{problem}");
}

#[test]
fn a_build_that_can_not_read_the_state_is_refused() {
    refused("refuses-state", "restore", "it has version 1, this build reads version 2");
}

#[test]
fn a_build_that_can_not_read_the_state_takes_over_where_the_state_is_to_be_discarded() {
    let replaced = Replaced::start("probation: 100ms", ", state: discard");
    replaced.put("refuses-state");
    let record = replaced.record();
    assert_eq!(record["outcome"], "replaced", "{record}");
    assert_eq!(in_service(&replaced.config), record["to"]["hash"].as_str().map(str::to_owned));
    replaced.expect_nothing_lost();
}

#[test]
fn a_refused_build_is_tried_again_when_the_configuration_has_changed() {
    let replaced = Replaced::start("probation: 100ms", "");
    replaced.put("refuses-state");
    assert_eq!(replaced.record()["outcome"], "refused");
    let yaml = pipeline("probation: 100ms", ", state: discard");
    replaced.config.rewrite(&replaced.folder, &yaml);
    let record = until("the second record", || replaced.config.records().into_iter().nth(1));
    assert_eq!(record["outcome"], "replaced", "{record}");
    replaced.running.signal(Signal::Terminate);
    drop(replaced.running.wait().expect_code(0));
}

/// A build that comes into service and fails there.
fn rolled_back(behaviour: &str, reason: &str) {
    let replaced = Replaced::start("probation: 20s", "");
    replaced.put(behaviour);
    let record = replaced.record();
    assert_eq!(record["outcome"], "rolled-back", "{record}");
    assert_eq!(record["handed"][0]["version"], 1, "{record}");
    let alert = record["alert"].as_str().unwrap_or_default();
    assert!(alert.contains("is back in service") && alert.contains(reason), "{alert}");
    let report = replaced.expect_undisturbed();
    assert_eq!(report.outcome(), "stopped", "the failure is over");
}

#[test]
fn a_build_that_fails_on_probation_gives_way_to_the_one_before() {
    rolled_back("fails-later", "as its build says");
}

#[test]
fn a_build_that_panics_on_probation_gives_way_to_the_one_before() {
    rolled_back("panics-later", "panicked: as its build says");
}
