//! Standard output is for the result, standard error for people.

use std::ffi::OsStr;

use hotbay_tests::{ConfigFile, PluginsFolder, Run, Signal, Sink};

const PIPELINE: &str = "\
channels:
  raw: { capacity: 64 }
  merged: { capacity: 64 }
  passed: { capacity: 64 }
pipeline:
  time: replay
  connectors:
    - { id: source, plugin: numbers-source, outputs: raw, config: { to: 50000 } }
  aggregator: { id: merge, plugin: numbers-merge, inputs: raw, outputs: merged }
  strategies:
    - { id: pass, plugin: numbers-pass, inputs: merged, outputs: passed }
  executors:
    - { id: sink, plugin: numbers-sink, inputs: passed }
";

fn folder() -> PluginsFolder {
    PluginsFolder::with(&["numbers-source", "numbers-merge", "numbers-pass", "numbers-sink"])
}

#[test]
fn in_a_pipe_there_is_no_progress_bar_and_no_colour() {
    let folder = folder();
    let config = ConfigFile::new(&folder, PIPELINE);
    let ended = Run::config(config.path()).finish().expect_code(0);
    assert_eq!(ended.stderr, "", "a source that tells its progress, and no terminal");
    ended.report();
    let ended = Run::config(config.path()).log("debug").finish().expect_code(0);
    let bytes = |it: &char| *it == '\r' || *it == '\u{1b}';
    assert_eq!(ended.stderr.chars().find(bytes), None, "{}", ended.stderr);
    ended.report();
}

#[test]
fn the_table_shows_what_the_json_has() {
    let folder = folder();
    let config = ConfigFile::new(&folder, PIPELINE);
    let ended = Run::new(["run".as_ref(), config.path().as_os_str()]).finish().expect_code(0);
    for text in ["components", "channels", "numbers", "source", "50000", "finished"] {
        assert!(ended.stdout.contains(text), "{text} is missing in:\n{}", ended.stdout);
    }
    assert_eq!(ended.stderr, "");
}

/// What a command writes to a terminal of this width, without what controls the terminal.
fn on_terminal(columns: u16, command: &[&OsStr]) -> String {
    let terminal = Sink::terminal(columns);
    let running = Run::new(command).stdout(terminal.stdio()).start();
    let written = terminal.read();
    drop(running.wait().expect_code(0));
    let mut text = String::new();
    let written = written.join().expect("the reader ends");
    let mut pieces = written.split("\u{1b}[");
    text.push_str(pieces.next().unwrap_or_default());
    pieces.for_each(|piece| text.push_str(piece.split_once('m').map_or(piece, |it| it.1)));
    text.replace('\r', "")
}

#[test]
fn tables_fit_the_terminal_and_keep_words_whole() {
    let folder = folder();
    let config = ConfigFile::new(&folder, PIPELINE);
    let path = config.path();
    for columns in [70, 80, 200] {
        for command in [
            ["run".as_ref(), path.as_os_str()].as_slice(),
            &["plugin".as_ref(), "list".as_ref(), folder.path().as_os_str()],
        ] {
            let text = on_terminal(columns, command);
            for word in ["numbers-source", "numbers-merge", "numbers-pass", "numbers-sink"] {
                assert!(text.contains(word), "{word} is cut at {columns} columns:\n{text}");
            }
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or_default();
            assert!(widest <= usize::from(columns), "{widest} columns of {columns}:\n{text}");
        }
    }
}

#[test]
fn what_a_plugin_logs_appears_under_the_hosts_filter_with_plugin_and_task() {
    let folder = PluginsFolder::with(&["logs"]);
    let config = ConfigFile::new(&folder, "");
    let log = |filter: &str, last: &str| {
        let running = Run::config(config.path()).log(filter).start();
        running.wait_for_log(last);
        running.signal(Signal::Terminate);
        let ended = running.wait().expect_code(0);
        ended.report();
        ended.stderr
    };
    let of_plugin = |log: &str, text: &str| {
        let line = log.lines().find(|line| line.contains(text)).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{text:?} is missing in:\n{log}"))
    };

    let warnings = log("warn", "a warning of the plugin's");
    assert!(!warnings.contains("an info"), "{warnings}");
    let line = of_plugin(&warnings, "a warning of the plugin's");
    for text in ["WARN", "plugin=\"logs\"", "task=\"logs/talk\"", "1.5", "spot"] {
        assert!(line.contains(text), "{text} is missing in: {line}");
    }
    of_plugin(&warnings, "an error of the plugin's");

    let all = log("trace", "a trace of the plugin's");
    // The span is of the level info: under `warn` it is off, as in any program.
    assert!(of_plugin(&all, "a warning of the plugin's").contains("outer"), "{all}");
    for text in ["an info of the plugin's", "a debug of the plugin's", "a trace of the plugin's"] {
        let line = of_plugin(&all, text);
        for text in ["logs/talk", "outer", "order", "7"] {
            assert!(line.contains(text), "{text} is missing in: {line}");
        }
    }

    let only_the_plugins = log("off,plugin=debug", "a debug of the plugin's");
    assert!(!only_the_plugins.contains("a trace"), "{only_the_plugins}");
    let of_others = |line: &&str| !line.contains("plugin=\"logs\"") && !line.trim().is_empty();
    assert_eq!(only_the_plugins.lines().find(of_others), None);
}

#[test]
fn help_names_the_commands_and_the_exit_codes() {
    let ended = Run::new(["--help"]).finish().expect_code(0);
    for text in ["hotbay run", "hotbay validate", "hotbay plugin list", "HOTBAY_LOG"] {
        assert!(ended.stdout.contains(text), "{text} is missing in:\n{}", ended.stdout);
    }
    let ended = Run::new(["run", "--help"]).finish().expect_code(0);
    assert!(ended.stdout.contains("The exit code is 0 if"), "{}", ended.stdout);
}
