//! Texts of plugins, files and recordings stay texts: none reaches a terminal as anything else, and
//! none looks like a line of the host's.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path};

use hotbay_tests::{ConfigFile, Ended, PluginsFolder, Run, Signal, until};

/// What the text of [`nasty`] wants to look like.
const FORGED: &str = "2026-01-01T00:00:00Z ERROR hotbay: forged";

/// A text as a double-quoted YAML scalar: it clears the screen, sets the title, rings, begins a line
/// of its own and turns the direction.
const NASTY: &str =
    r#""A\e[2J\e]0;owned\a\u009b2JB\r\n2026-01-01T00:00:00Z ERROR hotbay: forged\u202e\u200bC""#;

fn expect_harmless(what: &str, text: &str) {
    let odd = |it: &char| it.is_control() && *it != '\n';
    assert_eq!(text.chars().find(odd), None, "{what}:\n{text:?}");
    assert!(!text.contains(['\u{202e}', '\u{200b}', '\u{9b}']), "{what}:\n{text:?}");
    let forged = text.lines().find(|line| line.trim_start().starts_with("2026-01-01"));
    assert_eq!(forged, None, "{what}");
}

fn expect_harmless_output(what: &str, ended: &Ended) {
    expect_harmless(what, &ended.stdout);
    expect_harmless(what, &ended.stderr);
}

fn nasty(task: &str) -> String {
    format!(
        "tasks: [{{ plugin: logs, task: {task}, enabled: true, interval: 100ms, config: {{ text: {NASTY} }} }}]\n"
    )
}

#[test]
fn messages_fields_errors_and_panics_of_a_plugin_are_escaped_everywhere() {
    let plugins = PluginsFolder::with(&["logs"]);
    for task in ["repeat", "scream"] {
        let config = ConfigFile::new(&plugins, &nasty(task));
        let host = Run::new(["run".as_ref(), config.path().as_os_str()]).start();
        until("the failure", || {
            let status = config.status()?;
            status["tasks"].to_string().contains("last_error").then_some(())
        });
        let status = Run::new(["status".as_ref(), config.path().as_os_str()]).finish();
        let status = status.expect_code(0);
        expect_harmless_output("the status", &status);
        assert!(status.stdout.contains("\\u{1b}[2J"), "{}", status.stdout);
        host.wait_for_log("owned");
        host.signal(Signal::Terminate);
        let ended = host.wait().expect_code(0);
        expect_harmless_output(task, &ended);
        assert!(ended.stderr.contains("\\u{1b}[2J") && ended.stderr.contains(FORGED));
        assert!(ended.stdout.contains("\\u{202e}"), "{}", ended.stdout);
    }
}

#[test]
fn the_fields_of_a_plugin_are_fields_of_the_log_and_a_panic_names_the_plugin() {
    let plugins = PluginsFolder::with(&["logs"]);
    let log = |task: &str, last: &str| {
        let entry = format!("plugin: logs, task: {task}, enabled: true, config: {{ text: hi }}");
        let config = ConfigFile::new(&plugins, &format!("tasks: [{{ {entry} }}]\n"));
        let host = Run::config(config.path()).env("RUST_BACKTRACE", "0").start();
        host.wait_for_log(last);
        host.signal(Signal::Terminate);
        host.wait().expect_code(1).stderr
    };
    let line_with = |log: &str, text: &str| {
        let line = log.lines().find(|line| line.contains(text)).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{text:?} is missing in:\n{log}"))
    };
    let said = log("repeat", "a run failed");
    let line = line_with(&said, "a text in fields");
    let who = "a text in fields plugin=\"logs\" task=\"logs/repeat\" run=";
    let fields = " module=\"logs\" quoted=\"hi\" shown=\"hi\" plugin.plugin=\"another\"";
    assert!(line.contains(who) && line.ends_with(fields), "{line}");
    let panicked = log("scream", "a run failed");
    let line = line_with(&panicked, "panicked at");
    let text = ": hi plugin=\"logs\" task=\"logs/scream\"";
    assert!(line.contains("ERROR plugin: panicked at") && line.contains(text), "{line}");
    assert_eq!(panicked.matches("panicked at").count(), 1, "{panicked}");
    let failed = line_with(&panicked, "a run failed");
    assert!(failed.contains("task=\"logs/scream\""), "{failed}");
}

/// The name of a file that wants to be more.
fn odd_name() -> &'static OsStr {
    OsStr::new("lib\x1b[2Jx\n2026-01-01T00:00:00Z ERROR forged\u{202e}.so")
}

/// The name of a file that is not Unicode.
fn no_unicode() -> &'static OsStr {
    OsStr::from_bytes(b"lib\xff.so")
}

#[test]
fn the_names_of_files_are_escaped_in_lists_refusals_and_the_log() {
    let plugins = PluginsFolder::with(&["hello"]);
    for name in [odd_name(), no_unicode()] {
        fs::write(plugins.path().join(name), "no library").unwrap();
    }
    let list = Run::new(["plugin".as_ref(), "list".as_ref(), plugins.path().as_os_str()]).finish();
    let list = list.expect_code(0);
    expect_harmless_output("the list", &list);
    assert!(list.stderr.contains("lib\\u{1b}[2Jx\\n2026"), "{}", list.stderr);
    // A name that is not Unicode is not that of a plugin, here as in a host.
    assert_eq!(list.stderr.lines().count(), 1, "{}", list.stderr);
    let list = ["plugin".as_ref(), "list".as_ref(), plugins.path().as_os_str()];
    let json = Run::new(list.into_iter().chain(["--output".as_ref(), "json".as_ref()])).finish();
    let json: serde_json::Value = serde_json::from_str(&json.expect_code(0).stdout).unwrap();
    assert_eq!(json["refused"].as_array().unwrap().len(), 1, "{json}");

    let file = plugins.path().join(odd_name());
    for command in [["plugin", "inspect"].as_slice(), &["plugin", "trust"], &["validate"], &["run"]]
    {
        let call = command.iter().map(OsStr::new).chain([file.as_os_str()]);
        expect_harmless_output("a refusal", &Run::new(call).finish().expect_code(2));
    }

    let config = ConfigFile::new(&plugins, "");
    let host = Run::new(["run".as_ref(), config.path().as_os_str()]).log("debug").start();
    until("the refusal", || {
        let status = config.status()?;
        (!status["refused"].as_array()?.is_empty()).then_some(())
    });
    let status = Run::new(["status".as_ref(), config.path().as_os_str()]).finish();
    expect_harmless_output("the status", &status.expect_code(0));
    host.signal(Signal::Terminate);
    expect_harmless_output("the host", &host.wait().expect_code(0));
}

#[test]
fn mistakes_in_a_configuration_are_shown_escaped_one_line_each() {
    let plugins = PluginsFolder::with(&["hello"]);
    let yaml = format!("tasks: [{{ plugin: {NASTY}, task: {NASTY} }}]\n{NASTY}: 1\n");
    let config = ConfigFile::new(&plugins, &yaml);
    for command in ["validate", "run"] {
        let ended = Run::new([command.as_ref(), config.path().as_os_str()]).finish();
        let ended = ended.expect_code(2);
        expect_harmless_output(command, &ended);
        for line in ended.stderr.lines() {
            assert!(line.starts_with(config.path().to_str().unwrap()), "{}", ended.stderr);
        }
    }
}

#[test]
fn arguments_are_escaped_in_what_is_said_about_them() {
    for call in [
        ["status", "\x1b[2J\n2026-01-01"].as_slice(),
        &["plugin", "release", "\x1b[2J\n2026-01-01"],
        &["plugin", "\x1b[2J\n2026-01-01"],
        &["--log", "\x1b[2J\n2026-01-01=x=y", "--version"],
        &["--log", "\x1b[2J\n2026-01-01=x=y", "plugin", "quarantine"],
    ] {
        expect_harmless_output(&format!("{call:?}"), &Run::new(call).finish());
    }
}

const FEED: &str = "\
channels:
  raw: { capacity: 64 }
  merged: { capacity: 64 }
  orders: { capacity: 64 }
  reports: { capacity: 64 }
pipeline:
  time: replay
  connectors: [{ id: feed, plugin: binance-feed, outputs: { events: raw }, config: { path: CAPTURE } }]
  aggregator: { id: merge, plugin: market-aggregator, inputs: { sources: raw }, outputs: { bars: merged }, config: { lateness: 0s, bars: { trades: 1 } } }
  strategies:
    - { id: cross, plugin: ema-cross, inputs: { bars: merged, reports: reports }, outputs: { orders: orders }, config: { instruments: { BTCUSDT: 1 }, fast: 1, slow: 2, warmup: 1 } }
  executors: [{ id: paper, plugin: paper-executor, inputs: { orders: orders }, outputs: { reports: reports }, config: { balance: 1000 } }]
";

/// Kinds of events that hold escapes, a bell, line breaks and marks of direction.
const CAPTURE: &str = r#"1700000000000000000 {"e":"\u001b[2J\u001b[31mEVIL\u0007","s":"X"}
1700000000000000001 {"e":"a\n2026-01-01T00:00:00Z\tc","s":"X"}
1700000000000000002 {"stream":"x@\u202Eevil","data":[1]}
"#;

#[test]
fn what_a_recording_holds_is_escaped_in_the_report() {
    let plugins =
        PluginsFolder::with(&["binance-feed", "market-aggregator", "ema-cross", "paper-executor"]);
    let recording = tempfile::tempdir().unwrap();
    let capture = recording.path().join("capture.txt");
    fs::write(&capture, CAPTURE).unwrap();
    let config = ConfigFile::new(&plugins, &FEED.replace("CAPTURE", path(&capture)));
    let ended = Run::new(["run".as_ref(), config.path().as_os_str()]).finish();
    expect_harmless_output("the report", &ended);
    assert!(ended.stdout.contains("feed"), "{}\n{}", ended.stdout, ended.stderr);
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
