//! Output that cannot be written harms nobody: a log, a progress bar, a report.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{fs, thread, time::Duration};

use hotbay_tests::{
    ConfigFile, Ended, Fault, LIMIT, PluginsFolder, Run, Running, Signal, Sink, until,
};

/// A task that logs all the time, and one that logs and fails.
const TASKS: &str = "\
tasks:
  - { plugin: hello, task: heartbeat, interval: 2ms }
  - { plugin: failing-tasks, task: fails-once, enabled: false }
  - { plugin: failing-tasks, task: drops-badly, enabled: false }
";

fn each_fault(test: impl Fn(Fault) + Sync) {
    let test = &test;
    thread::scope(|scope| {
        let faults = Fault::ALL.map(|fault| (fault, scope.spawn(move || test(fault))));
        for (fault, tested) in faults {
            assert!(tested.join().is_ok(), "with {fault:?}");
        }
    });
}

fn runs(config: &ConfigFile) -> u64 {
    let status = until("a status", || config.status());
    let tasks = status["tasks"].as_array().unwrap();
    let task = tasks.iter().find(|task| task["id"] == "hello/heartbeat");
    task.map_or(0, |task| task["runs"].as_u64().unwrap())
}

/// Waits for so many more runs of the task that logs.
fn more_runs(config: &ConfigFile, count: u64) {
    let before = until("the first run", || Some(runs(config)).filter(|runs| *runs > 0));
    until("more runs", || (runs(config) >= before + count).then_some(()));
}

/// A host whose plugins log and panic, with a standard error that has this fault.
struct Faulty {
    config: ConfigFile,
    /// Kept, because its end is the fault.
    _sink: Sink,
    host: Running,
}

impl Faulty {
    fn start(fault: Fault, plugins: &PluginsFolder) -> Self {
        let mut sink = fault.sink();
        let config = ConfigFile::new(plugins, TASKS);
        let host = Run::config(config.path()).log("debug").stderr(sink.stdio()).start();
        more_runs(&config, 1);
        if matches!(fault, Fault::ReaderGone | Fault::TerminalClosed) {
            sink.close();
        }
        more_runs(&config, 100);
        until("a panic", || {
            let status = config.status()?;
            let tasks = status["tasks"].as_array()?;
            let panics = tasks.iter().find(|task| task["id"] == "failing-tasks/panics")?;
            (panics["failed"].as_u64()? > 0).then_some(())
        });
        Self { config, _sink: sink, host }
    }

    fn stop(self, signal: Signal) -> (ConfigFile, Ended) {
        self.host.signal(signal);
        (self.config, self.host.wait_within(LIMIT).expect_code(0))
    }
}

#[test]
fn a_log_that_cannot_be_written_changes_nothing_for_what_runs_and_blames_nobody() {
    let plugins = PluginsFolder::with(&["hello", "failing-tasks"]);
    each_fault(|fault| {
        let faulty = Faulty::start(fault, &plugins);
        let (config, ended) = faulty.stop(Signal::Terminate);
        let report = ended.report();
        assert_eq!(report.outcome(), "stopped", "{fault:?}");
        assert_eq!(report.task("hello/heartbeat")["failed"], 0, "{fault:?}");
        assert!(report.task("failing-tasks/panics")["failed"].as_u64() > Some(0), "{fault:?}");
        assert_eq!(report.problems(), [""; 0], "{fault:?}");
        let next = Run::config(config.path()).start();
        more_runs(&config, 1);
        next.signal(Signal::Terminate);
        let next = next.wait().expect_code(0);
        assert!(!next.stderr.contains("brought the last run"), "{fault:?}: {}", next.stderr);
        assert!(!next.stderr.contains("crashed"), "{fault:?}: {}", next.stderr);
    });
}

#[test]
fn with_a_log_that_cannot_be_written_every_signal_does_what_it_does_otherwise() {
    let plugins = PluginsFolder::with(&["hello", "failing-tasks"]);
    each_fault(|fault| {
        let faulty = Faulty::start(fault, &plugins);
        faulty.config.rewrite(&plugins, &TASKS.replace("2ms", "3ms"));
        faulty.host.signal(Signal::Hangup);
        until("the new interval", || {
            let status = faulty.config.status()?;
            status["tasks"].to_string().contains("every 3ms").then_some(())
        });
        more_runs(&faulty.config, 10);
        let (_, ended) = faulty.stop(Signal::Interrupt);
        assert_eq!(ended.report().outcome(), "stopped", "{fault:?}");
    });
}

#[test]
fn a_second_signal_ends_a_host_at_once_whatever_its_output_does() {
    let plugins = PluginsFolder::with(&["stuck"]);
    each_fault(|fault| {
        let (sink, out) = (fault.sink(), fault.sink());
        let yaml = "shutdown: { drain: 10m }\n\
                    tasks: [{ plugin: stuck, task: sleeper, config: { seconds: 600 } }]\n";
        let config = ConfigFile::new(&plugins, yaml);
        let run = Run::config(config.path()).log("trace");
        let host = run.stdout(out.stdio()).stderr(sink.stdio()).start();
        until("the host", || config.status());
        host.signal(Signal::Terminate);
        // Another signal is another request, however soon it comes.
        host.signal(Signal::Interrupt);
        drop(host.wait().expect_code(130));
    });
}

#[test]
fn a_quit_ends_a_host_at_once() {
    // Shells let what they start in the background ignore it, and so all that that starts.
    if hotbay_tests::proc::ignores(3) {
        return eprintln!("left out: SIGQUIT is ignored here");
    }
    let plugins = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::new(&plugins, "");
    let host = Run::config(config.path()).start();
    until("the host", || config.status());
    host.signal(Signal::Quit);
    let ended = host.wait();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended.status), Some(3));
}

#[test]
fn the_same_signal_twice_within_a_moment_is_one_request() {
    let plugins = PluginsFolder::with(&["stuck"]);
    let yaml = "shutdown: { drain: 20s }\n\
                tasks: [{ plugin: stuck, task: sleeper, config: { seconds: 1 } }]\n";
    for _ in 0..3 {
        let config = ConfigFile::new(&plugins, yaml);
        let host = Run::config(config.path()).log("info").start();
        host.wait_for_log("asleep");
        host.signal(Signal::Terminate);
        let asked = std::time::Instant::now();
        host.wait_for_log("stopping");
        host.signal(Signal::Terminate);
        if asked.elapsed() > Duration::from_millis(50) {
            // The machine is too busy to send two signals within a moment.
            continue;
        }
        let ended = host.wait().expect_code(0);
        assert_eq!(ended.report().outcome(), "stopped");
    }
}

#[test]
fn a_report_that_nobody_reads_does_not_keep_a_host_that_was_told_to_stop() {
    let plugins = PluginsFolder::with(&["hello"]);
    for fault in [Fault::Stalled, Fault::StalledNonBlocking] {
        let out = fault.sink();
        let config = ConfigFile::new(&plugins, "");
        let host = Run::config(config.path()).stdout(out.stdio()).start();
        until("the host", || config.status());
        host.signal(Signal::Terminate);
        let ended = host.wait().expect_code(1);
        ended.expect_stderr(&["hotbay: the result can't be written to standard output"]);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    }
}

#[test]
fn a_slow_reader_gets_the_whole_report_of_a_run_that_ended_by_itself() {
    let plugins = PluginsFolder::with(PIPELINE_PLUGINS);
    let config = ConfigFile::new(&plugins, PIPELINE);
    let out = Fault::Stalled.sink();
    let host = Run::config(config.path()).log("info").stdout(out.stdio()).start();
    host.wait_for_log("the sources ended");
    let read = out.read();
    drop(host.wait().expect_code(0));
    let text = read.join().unwrap();
    let report = text.trim_start_matches('.');
    assert_eq!(hotbay_tests::Report::parse(report).unwrap().outcome(), "finished");
}

#[test]
fn lines_that_were_lost_are_counted_in_the_status_and_in_the_log() {
    let plugins = PluginsFolder::with(&["hello"]);
    let yaml = "tasks: [{ plugin: hello, task: heartbeat, interval: 1ms }]\n";
    let config = ConfigFile::new(&plugins, yaml);
    let sink = Fault::Stalled.sink();
    let host = Run::config(config.path()).log("trace").stderr(sink.stdio()).start();
    until("lost lines", || {
        (config.status()?["lost_log_lines"].as_u64().unwrap() > 0).then_some(())
    });
    let table = Run::new(["status".as_ref(), config.path().as_os_str()]).finish().expect_code(0);
    assert!(table.stdout.contains("of the log could not be written"), "{}", table.stdout);
    let read = sink.read();
    more_runs(&config, 100);
    host.signal(Signal::Terminate);
    drop(host.wait().expect_code(0));
    let log = read.join().unwrap();
    let told = log.lines().filter(|line| line.contains("WARN hotbay::log: ")).count();
    assert!(told > 0, "{} bytes", log.len());
    assert!(log.lines().last().unwrap().contains("T"), "the last line is whole");
}

const PIPELINE_PLUGINS: &[&str] =
    &["numbers-source", "numbers-merge", "numbers-pass", "numbers-sink"];

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

#[test]
fn a_progress_bar_on_a_terminal_that_is_closed_or_stalled_keeps_nobody() {
    let plugins = PluginsFolder::with(PIPELINE_PLUGINS);
    let config = ConfigFile::new(&plugins, PIPELINE);
    for fault in [Fault::TerminalClosed, Fault::TerminalStalled] {
        let mut sink = fault.sink();
        let host = Run::config(config.path()).log("trace").stderr(sink.stdio()).start();
        if fault == Fault::TerminalClosed {
            sink.close();
        }
        let report = host.wait().expect_code(0).report();
        assert_eq!(report.outcome(), "finished", "{fault:?}");
    }
}

/// Calls of commands, each of which prints a result.
fn commands(config: &ConfigFile, plugins: &PluginsFolder) -> Vec<Vec<String>> {
    let [config, folder] =
        [config.path(), plugins.path().to_owned()].map(|it| it.display().to_string());
    let library = plugins.file_of("hello").display().to_string();
    let calls = [
        "--help".to_owned(),
        "--version".to_owned(),
        "run --help".to_owned(),
        "schema".to_owned(),
        "schema --format markdown".to_owned(),
        format!("validate {config}"),
        format!("status {config}"),
        format!("status {config} --output json"),
        format!("plugin list {folder}"),
        format!("plugin list {folder} --output json"),
        format!("plugin list --config {config}"),
        format!("plugin inspect {library}"),
        format!("plugin inspect {library} --output json"),
        format!("plugin quarantine --config {config}"),
        format!("plugin quarantine --config {config} --output json"),
        format!("plugin trust {library} --config {config}"),
    ];
    calls.iter().map(|call| call.split(' ').map(str::to_owned).collect()).collect()
}

#[test]
fn a_result_that_cannot_be_written_is_an_error_and_a_reader_that_went_away_is_none() {
    let plugins = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::new(&plugins, "");
    let host = Run::config(config.path()).start();
    until("the host", || config.status());
    for call in commands(&config, &plugins) {
        for (fault, code, lines) in
            [(Fault::DiskFull, 1, 1), (Fault::TerminalClosed, 1, 1), (Fault::ReaderGone, 0, 0)]
        {
            let mut out = fault.sink();
            out.close();
            let ended = Run::new(&call).stdout(out.stdio()).finish().expect_code(code);
            assert_eq!(
                ended.stderr.lines().count(),
                lines,
                "{call:?}, {fault:?}: {}",
                ended.stderr
            );
        }
    }
    host.signal(Signal::Terminate);
    drop(host.wait().expect_code(0));
}

#[test]
fn a_report_that_cannot_be_written_is_an_error_and_a_reader_that_went_away_is_none() {
    let plugins = PluginsFolder::with(PIPELINE_PLUGINS);
    let config = ConfigFile::new(&plugins, PIPELINE);
    for output in ["table", "json"] {
        for (fault, code, lines) in
            [(Fault::DiskFull, 1, 1), (Fault::TerminalClosed, 1, 1), (Fault::ReaderGone, 0, 0)]
        {
            let mut out = fault.sink();
            out.close();
            let path = config.path();
            let run = Run::new(["run", path.to_str().unwrap(), "--output", output]);
            let ended = run.stdout(out.stdio()).finish().expect_code(code);
            assert_eq!(
                ended.stderr.lines().count(),
                lines,
                "{output}, {fault:?}: {}",
                ended.stderr
            );
        }
    }
}

#[test]
fn a_host_ignores_broken_pipes() {
    let plugins = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::new(&plugins, "");
    let host = Run::config(config.path()).start();
    until("the host", || config.status());
    let status = fs::read_to_string(format!("/proc/{}/status", host.id())).unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    // SIGPIPE is 13.
    assert_ne!(u64::from_str_radix(ignored.trim(), 16).unwrap() & (1 << 12), 0, "{ignored}");
    host.signal(Signal::Terminate);
    drop(host.wait().expect_code(0));
}
