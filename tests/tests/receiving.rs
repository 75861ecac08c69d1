//! The test host of the SDK and the real one agree: whatever way an author receives in that passes
//! in the one, gets every event in the other.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use hotbay_plugin_api::{
    BackgroundTask, SchedulerError,
    testing::{TestHost, batch_of_bytes, block_on},
};
use hotbay_tests::{ConfigFile, LIMIT, PluginsFolder, Run};

const WAYS: [&str; 4] = ["subscriptions", "poll-and-drop", "poll-and-drop-wrapped", "kept-wrapped"];

const EVENTS: u64 = 100;

#[test]
fn the_test_host_delivers_everything_in_each_way() {
    for way in WAYS {
        let mut host = TestHost::new().with_config(serde_json::json!({ "way": way }));
        for channel in ["one", "two", "three"] {
            host = host.with_input("sources", channel);
        }
        let host = host.with_output("merged", "merged");
        let mut merge: receives::Merge = host.create().unwrap();
        let (ended, end) = mpsc::channel();
        let driver = thread::spawn(move || {
            let end = loop {
                if let Err(end) = block_on(merge.execute()) {
                    break end;
                }
            };
            ended.send(end).unwrap();
        });
        for (number, channel) in (0..EVENTS).zip(["one", "two", "three"].into_iter().cycle()) {
            let began = Instant::now();
            host.feed(channel, batch_of_bytes(&[(0, &number.to_le_bytes())]));
            // So that the next one comes while the component waits.
            while (host.published("merged").len() as u64) <= number {
                assert!(began.elapsed() < LIMIT, "{way}: event {number} was not received");
                thread::sleep(Duration::from_micros(100));
            }
        }
        ["one", "two", "three"].iter().for_each(|channel| host.end(channel));
        assert_eq!(end.recv_timeout(LIMIT).unwrap(), SchedulerError::Finished, "{way}");
        driver.join().unwrap();
    }
}

#[test]
fn the_real_host_delivers_everything_in_each_way() {
    let folder =
        PluginsFolder::with(&["numbers-source", "receives", "numbers-pass", "numbers-sink"]);
    for way in WAYS {
        let source = |name: &str, pause: u64| {
            format!(
                "{{ id: {name}, plugin: numbers-source, outputs: {name}, \
                 config: {{ to: {EVENTS}, batch: 1, pause_us: {pause} }} }}"
            )
        };
        let yaml = format!(
            "\
channels:
  one: {{ capacity: 2 }}
  two: {{ capacity: 2 }}
  three: {{ capacity: 2 }}
  merged: {{ capacity: 2 }}
  passed: {{ capacity: 2 }}
pipeline:
  time: replay
  connectors: [{}, {}, {}]
  aggregator:
    id: merge
    plugin: receives
    inputs: [one, two, three]
    outputs: merged
    config: {{ way: {way} }}
  strategies: [{{ id: pass, plugin: numbers-pass, inputs: merged, outputs: passed }}]
  executors: [{{ id: sink, plugin: numbers-sink, inputs: passed }}]
",
            source("one", 500),
            source("two", 700),
            source("three", 1_100)
        );
        let config = ConfigFile::new(&folder, &yaml);
        // A way that stalls is stopped by the limit of the harness.
        let report = Run::config(config.path()).finish().expect_code(0).report();
        assert_eq!(report.outcome(), "finished", "{way}");
        assert_eq!(report.channel("merged")["published"], 3 * EVENTS, "{way}");
    }
}
