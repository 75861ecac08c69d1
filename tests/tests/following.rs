//! A host that follows its plugins folder, the settings in it, and its own configuration.

use std::fs;

use hotbay_tests::{
    ConfigFile, PluginsFolder, Run, Running, Signal, another_build, library, put, until,
};
use serde_json::Value;

const RELOAD: &str = "reload: { settle: 20ms, probation: 100ms }\n";

const NUMBERS: [&str; 4] = ["numbers-source", "numbers-merge", "numbers-pass", "numbers-sink"];

fn pipeline(source: &str, sinks: &[&str]) -> String {
    let sinks =
        sinks.iter().map(|id| format!("{{ id: {id}, plugin: numbers-sink, inputs: passed }}"));
    format!(
        "{RELOAD}\
channels:
  raw: {{ capacity: 4096 }}
  merged: {{ capacity: 4096 }}
  passed: {{ capacity: 4096 }}
pipeline:
  time: live
  connectors: [{{ id: source, plugin: numbers-source, outputs: raw, config: {{ {source} }} }}]
  aggregator: {{ id: merge, plugin: numbers-merge, inputs: raw, outputs: merged }}
  strategies: [{{ id: pass, plugin: numbers-pass, inputs: merged, outputs: passed }}]
  executors: [{}]
",
        sinks.collect::<Vec<_>>().join(", ")
    )
}

fn start(config: &ConfigFile) -> Running {
    let running = Run::config(config.path()).log("info").start();
    until("the host runs", || config.status());
    running
}

fn task(config: &ConfigFile, id: &str) -> Option<Value> {
    config.entry("tasks", "id", id)
}

fn component(config: &ConfigFile, id: &str) -> Option<Value> {
    config.entry("components", "id", id)
}

fn runs(config: &ConfigFile, id: &str) -> u64 {
    task(config, id).and_then(|it| it["runs"].as_u64()).unwrap_or_default()
}

#[test]
fn a_plugin_that_comes_is_loaded_and_one_that_goes_is_retired() {
    let folder = PluginsFolder::with(&[]);
    let config = ConfigFile::new(&folder, RELOAD);
    let running = start(&config);
    let file = folder.add("hello");
    until("its task has run", || (runs(&config, "hello/greet") == 1).then_some(()));
    fs::remove_file(file).unwrap();
    let waits = until("its tasks wait for it", || {
        let task = task(&config, "hello/heartbeat")?;
        task["waits_for"].as_str().map(str::to_owned)
    });
    assert_eq!(waits, "plugin hello");
    assert_eq!(config.status().unwrap()["plugins"], Value::Array(Vec::new()), "it is unloaded");
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn a_pipeline_starts_when_the_last_of_its_plugins_comes_and_says_what_it_waits_for() {
    let folder = PluginsFolder::with(&["numbers-source", "numbers-merge", "numbers-sink"]);
    let config = ConfigFile::new(&folder, &pipeline("to: 500", &["sink"]));
    let running = start(&config);
    let waits = component(&config, "pass").unwrap()["waits_for"].clone();
    assert_eq!(waits, "plugin numbers-pass");
    let waits = component(&config, "source").unwrap()["waits_for"].clone();
    assert_eq!(waits, "the rest of the pipeline: pass (plugin numbers-pass)");
    folder.add("numbers-pass");
    // The source ends after 500 numbers, and with it the run.
    let ended = running.wait().expect_code(0);
    ended.expect_stderr(&["plugin `numbers-pass` is not loaded yet; this waits for it"]);
    assert_eq!(ended.report().component("sink")["events"], 500);
}

#[test]
fn a_file_that_is_renamed_is_the_same_plugin_still() {
    let folder = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::new(&folder, RELOAD);
    let running = start(&config);
    let name = folder.path().join("another-name.so");
    fs::rename(folder.file_of("hello"), &name).unwrap();
    let plugin = until("the new name is known", || {
        let plugin = config.entry("plugins", "name", "hello")?;
        (plugin["file"] == name.to_str()?).then_some(plugin)
    });
    assert_eq!(plugin["generation"], 1, "{plugin}");
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn of_two_files_with_one_plugin_the_second_waits_for_the_first_to_go() {
    let folder = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::new(&folder, RELOAD);
    let running = start(&config);
    let second = folder.write("second.so", &another_build(library("hello"), 2));
    let refused =
        until("the second is refused", || config.entry("refused", "file", second.to_str()?));
    assert_eq!(refused["code"], "duplicate", "{refused}");
    fs::remove_file(folder.file_of("hello")).unwrap();
    until("the second takes over", || {
        let plugin = config.entry("plugins", "file", second.to_str()?)?;
        (plugin["generation"] == 2).then_some(())
    });
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn settings_beside_a_library_take_effect_and_wrong_ones_are_refused() {
    let folder = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::new(&folder, RELOAD);
    let running = start(&config);
    folder.write("hello.yaml", b"tasks: { heartbeat: { interval: 20ms } }\n");
    until("it comes often", || (runs(&config, "hello/heartbeat") > 5).then_some(()));
    folder.write("hello.yaml", b"tasks: { heartbeet: { interval: 1h } }\n");
    running.wait_for_log("plugin `hello` has no task `heartbeet`");
    let before = runs(&config, "hello/heartbeat");
    until("it comes often still", || (runs(&config, "hello/heartbeat") > before + 5).then_some(()));
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn a_task_that_ran_once_runs_again_when_it_is_given_an_interval() {
    let folder = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::new(&folder, RELOAD);
    let running = start(&config);
    until("it has run", || (runs(&config, "hello/greet") == 1).then_some(()));
    folder.write("hello.yaml", b"tasks: { greet: { interval: 20ms } }\n");
    until("it comes often", || (runs(&config, "hello/greet") > 5).then_some(()));
    folder.write("hello.yaml", b"tasks: { greet: { enabled: false } }\n");
    let waits = until("it is switched off", || {
        task(&config, "hello/greet")?["waits_for"].as_str().map(str::to_owned)
    });
    assert_eq!(waits, "a build of hello that has it, or `enabled: true`");
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn a_changed_configuration_changes_what_it_says_and_nothing_else() {
    let folder = PluginsFolder::with(&NUMBERS);
    let config = ConfigFile::new(&folder, &pipeline("rate: 1000", &["sink"]));
    let running = start(&config);
    config.rewrite(&folder, &pipeline("rate: 5000", &["sink", "second"]));
    until("the second sink gets events", || {
        (component(&config, "second")?["events"].as_u64()? > 500).then_some(())
    });
    config.rewrite(&folder, &pipeline("rate: 5000", &["sink"]));
    until("the second sink is gone", || component(&config, "second").is_none().then_some(()));
    running.signal(Signal::Terminate);
    let report = running.wait().expect_code(0).report();
    for row in report.section("numbers").iter().filter(|row| row["sink"] == "sink") {
        assert_eq!((&row["missing"], &row["repeated"]), (&0.into(), &0.into()), "{row}");
        assert_eq!(row["received"], report.channel("raw")["published"], "{row}");
    }
    assert!(report.section("numbers").iter().any(|row| row["sink"] == "sink"));
}

#[test]
fn a_wrong_configuration_is_refused_with_its_places_and_the_old_one_goes_on() {
    let folder = PluginsFolder::with(&NUMBERS);
    let config = ConfigFile::new(&folder, &pipeline("rate: 1000", &["sink"]));
    let running = start(&config);
    config.rewrite(&folder, &pipeline("rate: many", &["sink"]));
    running.wait_for_log("hotbay.yaml:9:");
    let refused = until("the status says so", || {
        config.status()?["configuration_refused"].as_str().map(str::to_owned)
    });
    assert!(refused.contains("invalid type"), "{refused}");
    let before = component(&config, "sink").unwrap()["events"].as_u64().unwrap();
    until("events flow still", || {
        (component(&config, "sink")?["events"].as_u64()? > before + 200).then_some(())
    });
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn what_can_not_be_changed_while_it_runs_is_said_to_need_a_restart() {
    let folder = PluginsFolder::with(&NUMBERS);
    let yaml = pipeline("rate: 1000", &["sink"]);
    let config = ConfigFile::new(&folder, &yaml);
    let running = start(&config);
    config.rewrite(&folder, &yaml.replace("raw: { capacity: 4096 }", "raw: { capacity: 16 }"));
    running.wait_for_log("channel `raw` can't be changed while the host runs");
    running.wait_for_log("change it back, or restart the host");
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn a_channel_may_go_and_come_back() {
    let folder = PluginsFolder::with(&NUMBERS);
    let config = ConfigFile::new(&folder, &pipeline("rate: 1000", &["sink"]));
    let running = start(&config);
    let with_channel = |yaml: String| yaml.replacen("raw:", "spare: { capacity: 8 }\n  raw:", 1);
    let sinks: [&[&str]; 3] = [&["sink", "second"], &["sink"], &["sink", "third"]];
    for ids in sinks {
        let yaml = pipeline("rate: 1000", ids);
        let spare = ids.len() == 2;
        config.rewrite(&folder, &if spare { with_channel(yaml) } else { yaml });
        until("it is taken over", || {
            let there = config.status()?["components"].as_array()?.len();
            (there == 3 + ids.len()).then_some(())
        });
    }
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn a_configuration_that_comes_while_the_one_before_is_taken_over_is_taken_over_too() {
    let folder = PluginsFolder::with(&NUMBERS);
    // An event takes the sink two seconds: as long as it takes to put another one in its place.
    let of = |pause: &str, sinks: &[&str]| {
        let yaml = pipeline("rate: 100", sinks);
        yaml.replace(
            "inputs: passed }",
            &format!("inputs: passed, config: {{ pause_us: {pause} }} }}"),
        )
    };
    let config = ConfigFile::new(&folder, &of("2000000", &["sink"]));
    let running = Run::config(config.path()).log("info,hotbay_daemon=debug").start();
    until("events flow", || (component(&config, "pass")?["events"].as_u64()? > 0).then_some(()));
    running.wait_for_log("the configuration: read again, nothing to do");
    config.rewrite(&folder, &of("0", &["sink"]));
    let begun = "Reconfigure { subject: Configuration }";
    until("the change begins", || (running.stderr().matches(begun).count() == 2).then_some(()));
    config.rewrite(&folder, &of("0", &["sink", "second"]));
    until("what was added runs", || component(&config, "second"));
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn of_two_plugins_that_come_together_and_do_not_connect_the_second_is_refused() {
    let yaml = "\
reload: { settle: 200ms }
channels:
  raw: { capacity: 64 }
  quotes: { capacity: 64 }
  orders: { capacity: 64 }
pipeline:
  time: live
  connectors: [{ id: sample, plugin: market-sample, outputs: raw }]
  aggregator: { id: merge, plugin: market-aggregator, inputs: raw, outputs: { quotes: quotes } }
  strategies:
    - id: reversion
      plugin: mean-reversion
      inputs: { fair: [quotes] }
      outputs: orders
      config: { quantity: \"1\", theta: 1.0 }
  executors: [{ id: sink, plugin: numbers-sink, inputs: orders }]
";
    let folder = PluginsFolder::with(&[]);
    let config = ConfigFile::new(&folder, yaml);
    let running = start(&config);
    folder.add("market-aggregator");
    folder.add("mean-reversion");
    let refused = until("one of them is refused", || {
        config.status()?["refused"].as_array()?.first().cloned()
    });
    assert!(refused["reason"].as_str().unwrap().contains(" takes "), "{refused}");
    assert_eq!(config.status().unwrap()["plugins"].as_array().unwrap().len(), 1);
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn a_hangup_signal_has_the_configuration_read_again() {
    let folder = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::new(&folder, RELOAD);
    let running = start(&config);
    running.signal(Signal::Hangup);
    running.wait_for_log("asked to read the configuration again");
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn the_folder_may_be_missing_for_a_while_and_be_another_one_then() {
    let outer = PluginsFolder::with(&[]);
    let plugins = outer.path().join("plugins");
    let config =
        ConfigFile::verbatim(&format!("plugins: {{ folder: {} }}\n{RELOAD}", plugins.display()));
    let running = start(&config);
    fs::create_dir(&plugins).unwrap();
    fs::copy(library("hello"), plugins.join("hello.so")).unwrap();
    until("it is loaded", || config.entry("plugins", "name", "hello"));
    fs::rename(&plugins, outer.path().join("old")).unwrap();
    running.wait_for_log("what is loaded goes on");
    fs::create_dir(&plugins).unwrap();
    put(&plugins.join("hello.so"), &another_build(library("hello"), 2));
    until("the build of the new folder is in service", || {
        let plugin = config.entry("plugins", "name", "hello")?;
        (plugin["generation"] == 2 && plugin["state"] == "in-service").then_some(())
    });
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn two_hosts_do_not_share_a_state_folder() {
    let folder = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::new(&folder, RELOAD);
    let running = start(&config);
    let second = Run::config(config.path()).finish().expect_code(1);
    second.expect_stderr(&[&format!("another host (process {})", running.id()), "`state_folder`"]);
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn status_shows_a_host_that_runs_and_says_when_none_does() {
    let folder = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::new(&folder, RELOAD);
    let path = config.path();
    let status = || Run::new(["status".as_ref(), path.as_os_str()]).finish();
    status().expect_code(3).expect_stderr(&["no host runs with", "`hotbay run`"]);
    let running = start(&config);
    until("its task has run", || (runs(&config, "hello/greet") == 1).then_some(()));
    let shown = status().expect_code(0).stdout;
    assert!(shown.contains("hello/heartbeat") && shown.contains("in service"), "{shown}");
    let arguments = ["plugin", "list", "--output", "json", "--config"];
    let mut arguments: Vec<_> = arguments.iter().map(std::ffi::OsStr::new).collect();
    arguments.push(path.as_os_str());
    let shown = Run::new(arguments).finish().expect_code(0).stdout;
    let shown: Value = serde_json::from_str(&shown).expect("a status is JSON");
    assert!(shown["plugins"][0]["mapped_bytes"].as_u64().unwrap() > 100_000, "{shown}");
    assert!(shown["plugins"][0]["threads"].as_u64().unwrap() > 0, "{shown}");
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
    drop(status().expect_code(3));
}
