//! Every event of a run over four plugins is somewhere, and each is counted once.

use hotbay_tests::{ConfigFile, PluginsFolder, Report, Run, Signal, until};
use serde_json::Value;

const PLUGINS: [&str; 4] = ["numbers-source", "numbers-merge", "numbers-pass", "numbers-sink"];

/// A pipeline of the four plugins; `raw` is the declaration of the first channel.
fn pipeline(raw: &str, source: &str, merge: &str, sink: &str) -> String {
    format!(
        "\
channels:
  raw: {raw}
  merged: {{ capacity: 32 }}
  passed: {{ capacity: 7 }}
pipeline:
  time: replay
  connectors:
    - {{ id: source, plugin: numbers-source, outputs: raw, config: {{ {source} }} }}
  aggregator:
    {{ id: merge, plugin: numbers-merge, inputs: raw, outputs: merged, config: {{ {merge} }} }}
  strategies:
    - {{ id: pass, plugin: numbers-pass, inputs: merged, outputs: passed }}
  executors:
    - {{ id: sink, plugin: numbers-sink, inputs: passed, config: {{ {sink} }} }}
"
    )
}

fn run(yaml: &str) -> Report {
    let folder = PluginsFolder::with(&PLUGINS);
    let config = ConfigFile::new(&folder, yaml);
    Run::config(config.path()).finish().expect_code(0).report()
}

fn count(row: &Value, key: &str) -> u64 {
    row[key].as_u64().unwrap_or_else(|| panic!("{key} is a number in {row}"))
}

/// The equation of a channel with one subscriber.
fn assert_accounted(report: &Report, channel: &str) {
    let row = report.channel(channel);
    let [published, delivered, dropped, queued] =
        ["published", "delivered", "dropped", "queued"].map(|key| count(row, key));
    assert_eq!(published, delivered + dropped + queued, "{row}");
}

#[test]
fn over_four_plugins_nothing_is_lost_and_nothing_is_repeated() {
    // Capacities below, above and beside the size of a batch: batches are split on the way.
    let report = run(&pipeline("{ capacity: 50 }", "to: 200000", "", ""));
    assert_eq!(report.outcome(), "finished");
    let [row] = report.section("numbers") else { panic!("one sink, one row") };
    assert_eq!(count(row, "received"), 200_000);
    assert_eq!((count(row, "missing"), count(row, "repeated")), (0, 0), "{row}");
    assert_eq!(row["ended"], true);
    for channel in ["raw", "merged", "passed"] {
        let row = report.channel(channel);
        assert_eq!((count(row, "published"), count(row, "delivered")), (200_000, 200_000), "{row}");
        assert_eq!(
            (count(row, "dropped"), count(row, "queued"), count(row, "rejected")),
            (0, 0, 0)
        );
    }
    for id in ["source", "merge", "pass", "sink"] {
        assert_eq!(report.component(id)["status"], "finished");
        assert_eq!(report.component(id)["error"], Value::Null);
    }
}

#[test]
fn a_slow_consumer_of_a_blocking_channel_loses_nothing() {
    let report = run(&pipeline("{ capacity: 8 }", "to: 2000, batch: 5", "", "pause_us: 200"));
    let row = &report.section("numbers")[0];
    let got = (count(row, "received"), count(row, "missing"), count(row, "repeated"));
    assert_eq!(got, (2_000, 0, 0));
}

#[test]
fn what_a_channel_drops_is_what_its_consumer_misses() {
    for (policy, is_last_seen) in [("drop-oldest", true), ("drop-newest", false)] {
        let raw = format!("{{ capacity: 16, overflow: {policy} }}");
        let report = run(&pipeline(&raw, "to: 20000, batch: 4", "pause_us: 500", ""));
        assert_accounted(&report, "raw");
        let channel = report.channel("raw");
        let (published, dropped) = (count(channel, "published"), count(channel, "dropped"));
        assert_eq!(published, 20_000, "{policy}");
        assert!(dropped > 0, "{policy}: a slow consumer must have missed something");
        let row = &report.section("numbers")[0];
        assert_eq!(count(row, "received"), published - dropped, "{policy}");
        assert_eq!(count(row, "repeated"), 0, "{policy}");
        // What is missing after the last number that came was dropped as well.
        let last = count(row, "last");
        assert_eq!(count(row, "missing") + (20_000 - last), dropped, "{policy}");
        if is_last_seen {
            assert_eq!(last, 20_000, "the newest stays");
        }
    }
}

#[test]
fn a_channel_that_rejects_leaves_the_event_with_its_publisher() {
    let raw = "{ capacity: 16, overflow: reject }";
    let source = "to: 2000, batch: 4, insist: true";
    let report = run(&pipeline(raw, source, "pause_us: 200", ""));
    assert_accounted(&report, "raw");
    let channel = report.channel("raw");
    assert_eq!((count(channel, "published"), count(channel, "dropped")), (2_000, 0));
    assert!(count(channel, "rejected") > 0);
    assert_eq!(count(channel, "rejected"), report.counter("source.refused"));
    let row = &report.section("numbers")[0];
    let got = (count(row, "received"), count(row, "missing"), count(row, "repeated"));
    assert_eq!(got, (2_000, 0, 0));
}

#[test]
fn a_publisher_that_does_not_expect_a_rejection_fails_and_the_rest_ends_in_order() {
    let folder = PluginsFolder::with(&PLUGINS);
    let raw = "{ capacity: 16, overflow: reject }";
    let yaml = pipeline(raw, "to: 20000, batch: 4", "pause_us: 1000", "");
    let config = ConfigFile::new(&folder, &yaml);
    let report = Run::config(config.path()).finish().expect_code(1).report();
    let error = report.component("source")["error"].as_str().unwrap().to_owned();
    assert!(error.contains("raw"), "the channel is named: {error}");
    assert_accounted(&report, "raw");
    let received = count(&report.section("numbers")[0], "received");
    assert_eq!(received, count(report.channel("raw"), "published"));
}

#[test]
fn stopped_in_the_middle_what_was_published_is_still_handled() {
    let folder = PluginsFolder::with(&PLUGINS);
    let yaml = pipeline("{ capacity: 500 }", "pause_us: 500, batch: 50", "", "pause_us: 100");
    let config = ConfigFile::new(&folder, &yaml);
    let running = Run::config(config.path()).log("info").start();
    running.wait_for_log("starting the pipeline");
    std::thread::sleep(std::time::Duration::from_millis(300));
    running.signal(Signal::Terminate);
    let report = running.wait().expect_code(0).report();
    assert_eq!(report.outcome(), "stopped");
    let published = count(report.channel("raw"), "published");
    assert!(published > 0);
    let row = &report.section("numbers")[0];
    assert_eq!(count(row, "received"), published);
    assert_eq!((count(row, "missing"), count(row, "repeated")), (0, 0));
    assert_eq!(row["ended"], false, "the data did not end, it was cut");
    ["raw", "merged", "passed"].iter().for_each(|name| assert_accounted(&report, name));
}

#[test]
fn two_subscribers_of_a_channel_both_get_everything() {
    let yaml = pipeline("{ capacity: 64 }", "to: 10000", "", "").replace(
        "  executors:\n",
        "  executors:\n    - { id: other, plugin: numbers-sink, inputs: passed, config: { pause_us: 20 } }\n",
    );
    let report = run(&yaml);
    assert_eq!(report.section("numbers").len(), 2);
    for row in report.section("numbers") {
        let got = (count(row, "received"), count(row, "missing"), count(row, "repeated"));
        assert_eq!(got, (10_000, 0, 0), "{row}");
    }
    let passed = report.channel("passed");
    assert_eq!((count(passed, "published"), count(passed, "delivered")), (10_000, 20_000));
}

#[test]
fn a_stop_that_leaves_events_unhandled_says_how_many_of_which_channel_and_fails() {
    let folder = PluginsFolder::with(&PLUGINS);
    // A hundred batches for a sink that takes a hundred milliseconds for each.
    let yaml = pipeline("{ capacity: 10000 }", "to: 100000, batch: 1", "", "pause_us: 100000")
        .replace("passed: { capacity: 7 }", "passed: { capacity: 10000 }")
        .replace("time: replay", "time: live")
        + "shutdown: { drain: 300ms }\n";
    let config = ConfigFile::new(&folder, &yaml);
    let running = Run::config(config.path()).start();
    until("the sink is at it", || {
        (config.component("sink")?["events"].as_u64()? >= 3).then_some(())
    });
    running.signal(Signal::Terminate);
    let report = running.wait().expect_code(1).report();
    assert_eq!(report.outcome(), "failed");
    let lost: u64 = ["raw", "merged", "passed"]
        .iter()
        .map(|channel| {
            let row = report.channel(channel);
            count(row, "dropped") + count(row, "queued")
        })
        .sum();
    let problems = report.problems();
    let told = problems.iter().filter_map(|it| it.split_once(" events of channel "));
    let told: u64 = told.map(|(count, _)| count.parse::<u64>().unwrap()).sum();
    assert!(told > 100 && told == lost, "{told} of {lost}: {problems:?}");
    assert!(problems.iter().any(|it| it.contains("`shutdown.drain`")), "{problems:?}");
    for channel in ["raw", "merged", "passed"] {
        assert_accounted(&report, channel);
    }
}
