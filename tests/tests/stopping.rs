//! Signals: a graceful end within a limit, and what is said of that which does not stop.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use hotbay_tests::{ConfigFile, PluginsFolder, Run, Signal, library, proc, until};

const ENDLESS: &str = "\
channels:
  raw: { capacity: 64 }
  merged: { capacity: 64 }
  passed: { capacity: 64 }
pipeline:
  time: live
  connectors:
    - { id: source, plugin: numbers-source, outputs: raw, config: { pause_us: 1000 } }
  aggregator: { id: merge, plugin: numbers-merge, inputs: raw, outputs: merged }
  strategies:
    - { id: pass, plugin: numbers-pass, inputs: merged, outputs: passed }
  executors:
    - { id: sink, plugin: numbers-sink, inputs: passed }
";
const PLUGINS: [&str; 5] =
    ["numbers-source", "numbers-merge", "numbers-pass", "numbers-sink", "hello"];

#[test]
fn sigterm_and_ctrl_c_both_stop_with_a_report_and_exit_code_0() {
    for signal in [Signal::Terminate, Signal::Interrupt] {
        let folder = PluginsFolder::with(&PLUGINS);
        let config = ConfigFile::new(&folder, ENDLESS);
        let running = Run::config(config.path()).log("info").start();
        running.wait_for_log("starting the pipeline");
        let asked = Instant::now();
        running.signal(signal);
        let ended = running.wait().expect_code(0);
        assert!(asked.elapsed() < Duration::from_secs(10), "within twice the drain limit");
        let report = ended.report();
        assert_eq!(report.outcome(), "stopped");
        assert_eq!(report.problems(), [""; 0]);
        assert_eq!(report.component("source")["status"], "stopped");
        // What the source's end runs through ends by itself, or is stopped on the way.
        for id in ["merge", "pass", "sink"] {
            let status = &report.component(id)["status"];
            assert!(status == "stopped" || status == "finished", "{id}: {status}");
        }
        assert_eq!(report.task("hello/heartbeat")["failed"], 0);
    }
}

#[test]
fn a_host_without_a_pipeline_runs_until_it_is_told_to_stop() {
    let folder = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::new(&folder, "");
    let running = Run::config(config.path()).log("info").start();
    running.wait_for_log("primes below");
    // Its one-shot tasks are over; the host is not.
    running.signal(Signal::Terminate);
    let report = running.wait().expect_code(0).report();
    assert_eq!(report.outcome(), "stopped");
    assert_eq!(report.task("hello/primes")["runs"], 1);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = PluginsFolder::with(&["stuck"]);
    let config = ConfigFile::new(&folder, "shutdown: { drain: 20s }\n");
    let running = Run::config(config.path()).log("info").start();
    running.wait_for_log("loaded");
    until("the bay's blocking thread", || {
        (proc::thread_names(running.id()).iter().filter(|it| *it == "bay-stuck").count() > 1)
            .then_some(())
    });
    running.signal(Signal::Interrupt);
    running.wait_for_log("stopping");
    let asked = Instant::now();
    // The same signal within a moment would be the same request.
    running.signal(Signal::Terminate);
    let ended = running.wait().expect_code(130);
    assert!(asked.elapsed() < Duration::from_secs(5));
    ended.expect_stderr(&["stopped at once, as asked twice"]);
}

#[test]
fn a_task_that_can_not_be_stopped_is_named_and_its_plugin_stays_mapped() {
    let folder = PluginsFolder::with(&["stuck", "hello"]);
    let config = ConfigFile::new(&folder, "shutdown: { drain: 300ms }\n");
    let running = Run::config(config.path()).log("info").start();
    running.wait_for_log("primes below");
    until("the sleeper's own thread", || {
        (proc::thread_names(running.id()).iter().filter(|it| *it == "bay-stuck").count() > 1)
            .then_some(())
    });
    let asked = Instant::now();
    running.signal(Signal::Terminate);
    let ended = running.wait().expect_code(1);
    assert!(asked.elapsed() < Duration::from_secs(15), "bounded: {:?}", asked.elapsed());
    let stays = "plugin stuck (generation 2) stays mapped: 1 of its threads or calls did not end";
    ended.expect_stderr(&[stays]);
    let report = ended.report();
    assert_eq!(report.problems(), ["task stuck/sleeper did not stop within 300ms", stays]);
    assert_eq!(report.task("hello/greet")["failed"], 0);
}

#[test]
fn a_sync_task_that_ends_within_the_limit_is_waited_for() {
    let folder = PluginsFolder::with(&["stuck"]);
    let yaml = "shutdown: { drain: 10s }\n\
                tasks: [{ plugin: stuck, task: sleeper, config: { seconds: 1 } }]\n";
    let config = ConfigFile::new(&folder, yaml);
    let running = Run::config(config.path()).log("info").start();
    running.wait_for_log("asleep");
    running.signal(Signal::Terminate);
    let report = running.wait().expect_code(0).report();
    assert_eq!(report.problems(), [""; 0]);
    assert_eq!(report.task("stuck/sleeper")["runs"], 1, "its run was not thrown away");
}

#[test]
fn a_thread_that_a_plugin_left_running_keeps_it_mapped_and_is_told() {
    let folder = PluginsFolder::with(&["leaves-thread"]);
    let config = ConfigFile::new(&folder, "");
    let running = Run::config(config.path()).start();
    until("the thread", || {
        proc::thread_names(running.id()).iter().any(|it| it == "left-behind").then_some(())
    });
    running.signal(Signal::Terminate);
    let ended = running.wait().expect_code(0);
    ended.expect_stderr(&["plugin leaves-thread (generation 1) stays mapped"]);
    let report = ended.report();
    let [problem] = report.problems()[..] else { panic!("one problem: {:?}", report.problems()) };
    assert!(problem.contains("plugin leaves-thread (generation 1) stays mapped"), "{problem}");
}

#[test]
fn the_copies_of_a_host_that_was_killed_are_removed_by_the_next_one() {
    let temporary = tempfile::tempdir().unwrap();
    let copies = || {
        let entries = fs::read_dir(temporary.path()).unwrap().flatten();
        entries.filter(|it| it.file_name().to_string_lossy().starts_with("hotbay-")).count()
    };
    let folder = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::new(&folder, "");
    let start = || {
        let run = Run::config(config.path()).log("info").env("TMPDIR", temporary.path());
        let running = run.start();
        running.wait_for_log("primes below");
        running
    };
    // Dropping it is `kill -9`.
    drop(start());
    assert_eq!(copies(), 1, "nobody was left to remove them");
    let next = start();
    assert_eq!(copies(), 1, "its own");
    next.wait_for_log("removed what a killed host left");
    next.signal(Signal::Terminate);
    assert!(next.wait().expect_code(0).report().problems().is_empty());
    assert_eq!(copies(), 0);
}

#[test]
fn a_host_that_is_killed_takes_its_probe_along() {
    let library = library("hangs").to_str().unwrap();
    let host = Run::new(["plugin", "inspect", library]).start();
    let probe = until("the probe", || {
        let is_probe = |child: &u32| {
            let line = fs::read_to_string(format!("/proc/{child}/cmdline"));
            line.is_ok_and(|line| line.contains("__probe"))
        };
        proc::children(host.id()).into_iter().find(is_probe)
    });
    drop(host);
    until("the probe to end", || {
        (!Path::new("/proc").join(probe.to_string()).exists()).then_some(())
    });
}
