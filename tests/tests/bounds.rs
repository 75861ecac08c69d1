//! Whatever a plugin says, its host keeps, logs and shows a bounded part of it.

#![expect(clippy::unwrap_used, reason = "a test may")]

use hotbay_plugin_api::limits;
use hotbay_tests::{
    ConfigFile, Ended, PluginsFolder, Run, Running, Signal, proc::Holdings, switched_off, until,
};
use serde_json::Value;

/// A host in which this task of the fixture ran once.
struct Scene {
    _folder: PluginsFolder,
    config: ConfigFile,
    running: Running,
}

impl Scene {
    fn of(task: &str) -> Self {
        let folder = PluginsFolder::with(&["talkative"]);
        let all = [
            "fails", "panics", "counts", "reports", "returns", "logs", "nests", "measures", "tells",
        ];
        let tasks = switched_off("talkative", &all, &[task]);
        let config = ConfigFile::new(&folder, &format!("tasks:\n{tasks}"));
        let running = Run::config(config.path()).log("info").start();
        let scene = Self { _folder: folder, config, running };
        until("the task ran", || (scene.task()?["runs"] == 1).then_some(()));
        scene
    }

    fn task(&self) -> Option<Value> {
        let mut tasks = self.config.status()?;
        tasks["tasks"].as_array_mut()?.pop()
    }

    fn status(&self) -> Value {
        self.config.status().unwrap()
    }

    fn end(self) -> Ended {
        let resident = Holdings::of_process(self.running.id()).resident;
        assert!(resident < 200 << 20, "{resident} bytes are resident");
        self.running.signal(Signal::Terminate);
        let ended = self.running.wait();
        let log = ended.stderr.len();
        assert!(log < 100 << 10, "a log of {log} bytes");
        ended
    }
}

#[test]
fn a_long_error_is_cut_and_says_so() {
    let scene = Scene::of("fails");
    let error = scene.task().unwrap()["last_error"].as_str().unwrap().to_owned();
    assert!(error.len() < limits::TEXT + 100, "{} bytes", error.len());
    assert!(error.ends_with("é… (cut, 20971520 bytes)"), "{}", &error[limits::TEXT - 10..]);
    drop(scene.end());
}

#[test]
fn a_panic_is_logged_in_one_line_with_its_plugin_its_task_and_its_place() {
    let scene = Scene::of("panics");
    let error = scene.task().unwrap()["last_error"].as_str().unwrap().to_owned();
    assert!(error.starts_with("panicked: at length xxx"), "{error}");
    assert!(error.ends_with("… (cut, 1048586 bytes)"), "{error}");
    let ended = scene.end();
    let line = ended.stderr.lines().find(|line| line.contains("panicked at "));
    let line = line.unwrap_or_else(|| panic!("no line in: {}", ended.stderr));
    for text in ["ERROR", "talkative/src/lib.rs:", "at length xxx", "talkative/panics"] {
        assert!(line.contains(text), "{text} is missing in: {line}");
    }
    // Nothing but the log writes to standard error.
    assert!(!ended.stderr.contains("thread '"), "{}", ended.stderr);
}

#[test]
fn counters_and_gauges_beyond_the_limit_are_left_out_and_counted() {
    let scene = Scene::of("counts");
    let status = scene.status();
    let of = |what: &str| status[what].as_object().unwrap().len();
    assert_eq!((of("counters"), of("gauges")), (limits::METERS + 1, limits::METERS));
    let ended = scene.end();
    ended.expect_stderr(&["there is room for 256 counters", "talkative/counts"]);
    let report = ended.report();
    let others = format!("talkative/counts.{}", limits::OTHERS);
    assert_eq!(report.counter(&others), 2_001 - limits::METERS as u64);
    let left_out = report.0["left_out"][0].as_str().unwrap();
    assert!(left_out.contains("1745 counters, 1744 gauges"), "{left_out}");
}

#[test]
fn rows_of_the_report_beyond_the_limit_are_left_out_and_counted() {
    let scene = Scene::of("reports");
    let ended = scene.end();
    ended.expect_stderr(&["rows of the report are left out", "10000 are kept", "64 KiB each"]);
    let report = ended.report();
    let rows = report.section("rows");
    assert_eq!(rows.len(), limits::REPORT_ROWS);
    assert_eq!(rows.last().unwrap(), 19_999, "the last ones are kept");
    let left_out = report.0["left_out"][0].as_str().unwrap();
    assert!(left_out.contains("10001 rows"), "{left_out}");
}

#[test]
fn a_run_whose_result_is_too_large_has_failed() {
    let scene = Scene::of("returns");
    let error = scene.task().unwrap()["last_error"].as_str().unwrap().to_owned();
    assert!(error.contains("2097154 bytes as JSON; a host takes 1048576"), "{error}");
    drop(scene.end());
}

#[test]
fn a_long_message_and_long_fields_of_a_log_event_are_cut() {
    let scene = Scene::of("logs");
    scene.running.wait_for_log("after the long message");
    let ended = scene.end();
    let line = ended.stderr.lines().find(|line| line.contains("a long message")).unwrap();
    assert!(line.len() < 20 << 10, "a line of {} bytes", line.len());
    assert_eq!(line.matches('…').count(), 4, "the message and three fields: {line}");
}

#[test]
fn spans_beyond_all_measure_are_bounded() {
    let scene = Scene::of("nests");
    scene.running.wait_for_log("deep inside");
    let ended = scene.end();
    let line = ended.stderr.lines().find(|line| line.contains("deep inside")).unwrap();
    assert!(line.len() < 2 << 10, "a line of {} bytes", line.len());
}

#[test]
fn gauges_are_shown_in_the_status_and_in_the_report_and_counters_stay_at_their_largest_value() {
    let scene = Scene::of("measures");
    let status = scene.status();
    assert_eq!(status["gauges"]["talkative/measures.temperature"], 36.6);
    assert_eq!(status["gauges"]["talkative/measures.nothing"], Value::Null);
    assert_eq!(status["counters"]["talkative/measures.most"], u64::MAX);
    let table = Run::new(["status".as_ref(), scene.config.path().as_os_str()]).finish();
    for text in ["gauges", "talkative/measures.temperature", "36.6"] {
        assert!(table.stdout.contains(text), "{text} is missing in:\n{}", table.stdout);
    }
    let report = scene.end().report();
    assert_eq!(report.0["gauges"]["talkative/measures.temperature"], 36.6);
    assert_eq!(report.counter("talkative/measures.most"), u64::MAX);
}
