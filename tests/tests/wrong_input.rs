//! Wrong configurations: one clear message that names place and remedy, and exit code 2.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::io::Write;

use hotbay_tests::{ConfigFile, Ended, PluginsFolder, Run, library};

/// A sound pipeline, for a folder with the four plugins of numbers.
const SOUND: &str = "\
channels:
  raw: { capacity: 64 }
  merged: { capacity: 64 }
  passed: { capacity: 64 }
pipeline:
  time: replay
  connectors:
    - { id: source, plugin: numbers-source, outputs: raw, config: { to: 10 } }
  aggregator: { id: merge, plugin: numbers-merge, inputs: raw, outputs: merged }
  strategies:
    - { id: pass, plugin: numbers-pass, inputs: merged, outputs: passed }
  executors:
    - { id: sink, plugin: numbers-sink, inputs: passed }
";

fn folder() -> PluginsFolder {
    PluginsFolder::with(&["numbers-source", "numbers-merge", "numbers-pass", "numbers-sink"])
}

/// What `validate` and `run` say of a configuration; both must refuse it with the same words.
fn refused(config: &ConfigFile) -> Ended {
    let path = config.path();
    let validated = Run::new(["validate".as_ref(), path.as_os_str()]).finish().expect_code(2);
    let ran = Run::config(&path).finish().expect_code(2);
    assert_eq!(validated.stderr, ran.stderr);
    assert_eq!((validated.stdout.as_str(), ran.stdout.as_str()), ("", ""));
    ran.expect_stderr(&[path.to_str().unwrap()]);
    ran
}

/// Like [`refused`], for the sound pipeline with one text replaced.
fn changed(from: &str, to: &str) -> Ended {
    assert!(SOUND.contains(from), "{from:?} stands in the sound configuration");
    refused(&ConfigFile::new(&folder(), &SOUND.replacen(from, to, 1)))
}

#[test]
fn the_sound_one_is_sound() {
    let folder = folder();
    let config = ConfigFile::new(&folder, SOUND);
    let ended = Run::new(["validate".as_ref(), config.path().as_os_str()]).finish().expect_code(0);
    assert!(ended.stdout.contains("sound; 4 components, 0 tasks"), "{}", ended.stdout);
    assert_eq!(ended.stderr, "");
    assert_eq!(Run::config(config.path()).finish().expect_code(0).report().outcome(), "finished");
}

#[test]
fn no_such_plugins_folder() {
    let ended = refused(&ConfigFile::verbatim(
        "plugins: { folder: /nowhere/plugins }\nreload: { watch: false }\n",
    ));
    ended.expect_stderr(&[
        "hotbay.yaml:1:20: ",
        "the plugins folder /nowhere/plugins can't be read",
        "make the folder, or name another one under `plugins.folder`",
    ]);
}

#[test]
fn no_such_configuration() {
    let ended = Run::new(["run", "/nowhere/hotbay.yaml"]).finish().expect_code(2);
    ended.expect_stderr(&["/nowhere/hotbay.yaml"]);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
}

#[test]
fn an_empty_plugins_folder_leaves_nothing_to_run() {
    let folder = PluginsFolder::with(&[]);
    let config = ConfigFile::new(&folder, "reload: { watch: false }\n");
    let ended = Run::config(config.path()).finish().expect_code(2);
    ended.expect_stderr(&["hotbay.yaml", "there is nothing to run", "put a plugin with tasks"]);
}

#[test]
fn an_unknown_plugin_is_answered_with_those_that_are_there() {
    changed("plugin: numbers-pass", "plugin: numbers-pas").expect_stderr(&[
        "hotbay.yaml:12:27: plugin `numbers-pas` is not loaded",
        "did you mean `numbers-pass`? ",
        "holds `numbers-merge`, `numbers-pass`, `numbers-sink`, `numbers-source`",
    ]);
}

#[test]
fn a_misspelled_component_port_or_task_is_answered_with_the_one_that_is_meant() {
    changed("plugin: numbers-pass,", "plugin: numbers-pass, component: passs,")
        .expect_stderr(&["did you mean `pass`? it has `pass` (strategy)"]);
    changed("outputs: passed", "outputs: { ou: passed }")
        .expect_stderr(&["`pass` has no port `ou` among its outputs; did you mean `out`?"]);
    let folder = PluginsFolder::with(&["hello"]);
    let task = "tasks: [{ plugin: hello, task: heartbeet }]\nreload: { watch: false }\n";
    refused(&ConfigFile::new(&folder, task)).expect_stderr(&[
        "hotbay.yaml:2:32: plugin `hello` has no task `heartbeet`; did you mean `heartbeat`?",
    ]);
}

#[test]
fn wrong_settings_of_a_task() {
    let folder = PluginsFolder::with(&["hello"]);
    let task = "tasks: [{ plugin: hello, task: greet, config: { nam: Ada } }]\n";
    let config = ConfigFile::new(&folder, &format!("{task}reload: {{ watch: false }}\n"));
    refused(&config).expect_stderr(&["hotbay.yaml:2:", "unknown field `nam`, expected `name`"]);
    folder.write("hello.yaml", b"tasks: { greet: { config: { name: 7 } } }\n");
    let config = ConfigFile::new(&folder, "reload: { watch: false }\n");
    Run::config(config.path())
        .finish()
        .expect_code(2)
        .expect_stderr(&["hello.yaml:1:35: invalid type: integer `7`, expected a string"]);
}

#[test]
fn an_aggregator_that_reads_its_own_events() {
    changed("inputs: raw, outputs: merged", "inputs: [raw, merged], outputs: merged")
        .expect_stderr(&["hotbay.yaml:10:", "`merge` reads its own events on channel `merged`"]);
}

/// A refused library that the pipeline needs: both the library and the place are named.
fn needs(file: &str, content: &[u8]) -> Ended {
    let folder = PluginsFolder::with(&["numbers-source", "numbers-merge", "numbers-sink"]);
    folder.write(file, content);
    let ended = refused(&ConfigFile::new(&folder, SOUND));
    ended.expect_stderr(&["hotbay.yaml:12:27: plugin `numbers-pass` is not loaded", file]);
    ended
}

#[test]
fn a_text_file_named_so_where_a_plugin_is_needed() {
    needs("libnumbers_pass.so", b"not a library").expect_stderr(&[
        "libnumbers_pass.so: warning: is not an ELF shared library",
        "build it with crate-type",
    ]);
}

#[test]
fn a_truncated_library_where_a_plugin_is_needed() {
    let whole = std::fs::read(library("numbers-pass")).unwrap();
    needs("libnumbers_pass.so", &whole[..whole.len() / 2])
        .expect_stderr(&["copy it again if it was cut short"]);
}

#[test]
fn a_library_of_another_api_version_where_a_plugin_is_needed() {
    needs("libnumbers_pass.so", &std::fs::read(library("wrong-api")).unwrap())
        .expect_stderr(&["was built for plugin API 99, this host speaks 3", "rebuild it"]);
}

#[test]
fn a_component_that_the_plugin_does_not_have() {
    changed("plugin: numbers-pass,", "plugin: numbers-pass, component: passs,").expect_stderr(&[
        "hotbay.yaml:12:52: plugin `numbers-pass` has no component `passs`",
        "it has `pass` (strategy)",
    ]);
}

#[test]
fn a_component_of_another_role() {
    changed("plugin: numbers-pass", "plugin: numbers-sink")
        .expect_stderr(&["plugin `numbers-sink` has no strategy", "it has `sink` (executor)"]);
    changed("plugin: numbers-pass,", "plugin: numbers-sink, component: sink,")
        .expect_stderr(&["`sink` has the role executor, not strategy", "move it to `executors:`"]);
}

#[test]
fn a_missing_role() {
    for (cut, role, key) in [
        (
            "    - { id: source, plugin: numbers-source, outputs: raw, config: { to: 10 } }\n",
            "connector",
            "connectors",
        ),
        (
            "  aggregator: { id: merge, plugin: numbers-merge, inputs: raw, outputs: merged }\n",
            "aggregator",
            "aggregator",
        ),
        (
            "    - { id: pass, plugin: numbers-pass, inputs: merged, outputs: passed }\n",
            "strategy",
            "strategies",
        ),
        ("    - { id: sink, plugin: numbers-sink, inputs: passed }\n", "executor", "executors"),
    ] {
        changed(cut, "")
            .expect_stderr(&[&format!("the pipeline has no {role}"), &format!("under `{key}:`")]);
    }
}

#[test]
fn two_aggregators() {
    changed(
        "  aggregator: { id: merge, plugin: numbers-merge, inputs: raw, outputs: merged }\n",
        "  aggregator:\n\
        \x20   - { id: merge, plugin: numbers-merge, inputs: raw, outputs: merged }\n\
        \x20   - { id: other, plugin: numbers-merge, inputs: raw, outputs: merged }\n",
    )
    .expect_stderr(&[
        "hotbay.yaml:12:7: the pipeline has 2 aggregators (lines 11 and 12); it takes exactly one",
    ]);
}

#[test]
fn an_unknown_key() {
    changed("capacity: 64", "capcity: 64")
        .expect_stderr(&["hotbay.yaml:3:10: unknown key `capcity`; did you mean `capacity`?"]);
}

#[test]
fn an_unknown_key_of_a_components_own_configuration() {
    changed("to: 10", "too: 10").expect_stderr(&[
        "hotbay.yaml:9:",
        "unknown field `too`, expected one of `to`, `batch`",
        "`hotbay plugin inspect` shows what `source` of plugin `numbers-source` takes",
    ]);
}

#[test]
fn a_wrong_type() {
    changed("capacity: 64", "capacity: many").expect_stderr(&[
        "hotbay.yaml:3:",
        "many",
        "expected",
    ]);
    changed("to: 10", "to: ten")
        .expect_stderr(&["hotbay.yaml:9:", "invalid type: string \"ten\", expected u64"]);
}

#[test]
fn a_variable_that_is_not_set() {
    changed("to: 10", "to: ${HOTBAY_TEST_LIMIT}")
        .expect_stderr(&["hotbay.yaml:9:", "HOTBAY_TEST_LIMIT"]);
    let folder = folder();
    let config = ConfigFile::new(&folder, &SOUND.replace("to: 10", "to: ${HOTBAY_TEST_LIMIT:-7}"));
    let report = Run::config(config.path()).finish().expect_code(0).report();
    assert_eq!(report.section("numbers")[0]["last"], 7);
    let run = Run::config(config.path()).env("HOTBAY_TEST_LIMIT", "9");
    assert_eq!(run.finish().expect_code(0).report().section("numbers")[0]["last"], 9);
}

#[test]
fn a_required_port_that_is_not_connected() {
    changed(", inputs: merged, outputs: passed", ", inputs: merged").expect_stderr(&[
        "`pass` needs its port `out` connected",
        "write `outputs: { out: CHANNEL }`",
    ]);
}

#[test]
fn an_input_of_another_event_type_than_the_output_on_its_channel() {
    let folder = PluginsFolder::with(&[
        "market-sample",
        "market-aggregator",
        "mean-reversion",
        "numbers-pass",
        "numbers-sink",
    ]);
    let pipeline = "\
channels:
  raw: { capacity: 64 }
  quotes: { capacity: 64 }
  orders: { capacity: 64 }
  passed: { capacity: 64 }
pipeline:
  time: replay
  connectors:
    - { id: sample, plugin: market-sample, outputs: raw }
  aggregator: { id: merge, plugin: market-aggregator, inputs: raw, outputs: { quotes: quotes } }
  strategies:
    - id: reversion
      plugin: mean-reversion
      inputs: { fair: [quotes] }
      outputs: orders
      config: { quantity: \"1\", theta: 1.0 }
    - { id: pass, plugin: numbers-pass, inputs: quotes, outputs: passed }
  executors:
    - { id: sink, plugin: numbers-sink, inputs: orders }
";
    let ended = refused(&ConfigFile::new(&folder, pipeline));
    ended.expect_stderr(&[
        "hotbay.yaml:15:24: ",
        "input `fair` of `reversion` takes `hotbay.market/fair-value/2`, but output `quotes` of \
         `merge` publishes `hotbay.market/quote/2` on channel `quotes`",
    ]);
    // Ports that tell no type, as those of `pass` and `sink`, take any.
    assert_eq!(ended.stderr.matches(" takes ").count(), 1, "{}", ended.stderr);
}

#[test]
fn several_problems_are_told_at_once() {
    let text = SOUND.replace("to: 10", "to: ten").replace("plugin: numbers-sink", "plugin: sink");
    refused(&ConfigFile::new(&folder(), &text))
        .expect_stderr(&["expected u64", "plugin `sink` is not loaded"]);
}

#[test]
fn a_log_filter_that_makes_no_sense() {
    let ended = Run::new(["--log", "loud=very", "plugin", "list", "/"]).finish().expect_code(2);
    ended.expect_stderr(&["--log loud=very"]);
}

#[test]
fn a_truncated_gz_fails_the_run_with_its_name() {
    let plugins = ["binance-feed", "numbers-merge", "numbers-pass", "numbers-sink"];
    let folder = PluginsFolder::with(&plugins);
    let data = tempfile::tempdir().unwrap();
    let capture = data.path().join("spot.gz");
    std::fs::File::create(&capture).unwrap().write_all(&truncated_gz()).unwrap();
    let feed =
        format!("plugin: binance-feed, outputs: raw, config: {{ path: {} }}", capture.display());
    let text = SOUND.replace("plugin: numbers-source, outputs: raw, config: { to: 10 }", &feed);
    let config = ConfigFile::new(&folder, &text);
    let ended = Run::config(config.path()).finish().expect_code(1);
    ended.expect_stderr(&["source", capture.to_str().unwrap()]);
    let report = ended.report();
    assert_eq!(report.outcome(), "failed");
    let source = report.component("source");
    assert_eq!(source["status"], "failed");
    let error = source["error"].as_str().unwrap();
    assert!(error.contains("spot.gz"), "{error}");
    // What came before the cut went through, and the rest of the pipeline ended in good order.
    assert_eq!(report.component("sink")["status"], "finished");
}

/// A gzip file of a thousand quotes that ends in its middle.
fn truncated_gz() -> Vec<u8> {
    use flate2::{Compression, write::GzEncoder};
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    for number in 0..1_000 {
        let message = r#"{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"1.00","B":"1","a":"2.00","A":"1"}}"#;
        writeln!(encoder, "{} {message}", 1_723_161_256_000_000_000u64 + number).unwrap();
    }
    let mut whole = encoder.finish().unwrap();
    whole.truncate(whole.len() / 2);
    whole
}
