//! The plugin `housekeeping` in the real host, with the configuration of the example.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{
    fs,
    os::unix::fs::symlink,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use hotbay_tests::{ConfigFile, PluginsFolder, Run, Running, library, until, workspace};
use serde_json::Value;
use tempfile::TempDir;

/// The folders that the example names.
struct Folders(TempDir);

impl Folders {
    fn new() -> Self {
        let folders = Self(tempfile::tempdir().unwrap());
        for name in ["plugins", "cache", "data", "copy", "outside"] {
            fs::create_dir(folders.path(name)).unwrap();
        }
        let copy = folders.path("plugins/libhousekeeping.so");
        fs::copy(library("housekeeping"), copy).unwrap();
        folders
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Writes a file that was not modified for ten days.
    fn write_old(&self, name: &str) -> PathBuf {
        let path = self.write(name, "old");
        let then = SystemTime::now() - Duration::from_secs(10 * 86_400);
        fs::File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
        path
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let example = workspace().join("examples/housekeeping.yaml");
        let [command, more @ ..] = arguments else { panic!("a command") };
        // `task list CONFIG …` and `run CONFIG …`
        let (commands, more) = match *command {
            "task" => (vec![*command, more[0]], &more[1..]),
            command => (vec![command], more),
        };
        let arguments = commands.into_iter().map(PathBuf::from).chain([example]);
        Run::new(arguments.chain(more.iter().map(PathBuf::from))).env("HOUSEKEEPING", self.0.path())
    }

    fn runs_of(&self, task: &str) -> Vec<Value> {
        let ended = self.run(&["task", "history", task, "--output", "json"]).finish();
        let runs: Value = serde_json::from_str(&ended.expect_code(0).stdout).expect("it is JSON");
        runs.as_array().cloned().expect("a list")
    }

    /// Starts the host and waits for a successful run of each task.
    fn start(&self) -> Running {
        let running = self.run(&["run", "--output", "json"]).log("info").start();
        until("the host answers", || {
            let asked = self.run(&["task", "list"]).finish();
            (asked.status.code() == Some(0)).then_some(())
        });
        for task in ["clean_cache", "compute_stats", "export_report", "sync_data"] {
            until(&format!("a run of {task}"), || {
                self.runs_of(task).iter().find(|run| run["state"] == "succeeded").cloned()
            });
        }
        running
    }
}

#[test]
fn the_example_cleans_counts_reports_and_copies() {
    let folders = Folders::new();
    let old = folders.write_old("cache/old");
    let kept = [folders.write_old("cache/x.lock"), folders.write("cache/young", "young")];
    let outside = folders.write_old("outside/file");
    symlink(folders.path("outside"), folders.path("cache/link")).unwrap();
    folders.write("data/<b>&.txt", "twelve bytes");
    folders.write("copy/gone", "");
    let running = folders.start();

    assert!(!old.exists() && outside.exists() && kept.iter().all(|path| path.exists()));
    assert_eq!(fs::read_to_string(folders.path("copy/<b>&.txt")).unwrap(), "twelve bytes");
    assert!(!folders.path("copy/gone").exists());
    let page = fs::read_to_string(folders.path("report.html")).unwrap();
    assert!(page.contains("&lt;b&gt;&amp;.txt") && !page.contains("<b>"), "{page}");
    let table = fs::read_to_string(folders.path("report.csv")).unwrap();
    assert!(table.starts_with("computed_at,folder,measure,of,files,bytes"), "{table}");

    // What a run returned is kept with the run.
    let result = |task: &str| folders.runs_of(task).last().expect("a run")["result"].clone();
    assert_eq!(
        (&result("clean_cache")["files"], &result("clean_cache")["bytes"]),
        (&1.into(), &3.into())
    );
    assert_eq!(result("compute_stats")["folders"][1]["bytes"], 12);
    assert_eq!(result("sync_data")["copied"], 1);
    drop(running.stop().expect_code(0));
}

#[test]
fn new_statistics_by_hand_make_a_new_report_and_a_copy_goes_on_where_it_was() {
    let folders = Folders::new();
    folders.write("data/a", "a");
    let running = folders.start();
    let reports = folders.runs_of("export_report").len();
    folders.write("data/b", "b");
    for task in ["compute_stats", "sync_data"] {
        drop(folders.run(&["task", "run", task, "--wait"]).finish().expect_code(0));
    }
    until("a new report", || {
        let runs = folders.runs_of("export_report");
        (runs.len() > reports && runs[0]["state"] == "succeeded").then_some(())
    });
    let page = fs::read_to_string(folders.path("report.html")).unwrap();
    assert!(page.contains("/data/b"), "{page}");
    let synced = &folders.runs_of("sync_data")[0]["result"];
    assert_eq!((&synced["copied"], &synced["unchanged"]), (&1.into(), &1.into()));
    drop(running.stop().expect_code(0));
}

#[test]
fn wrong_settings_are_found_without_running_anything() {
    let plugins = PluginsFolder::with(&["housekeeping"]);
    for (task, settings, problem) in [
        ("clean_cache", "folders: [a]", "missing field `older_than`"),
        ("clean_cache", "folders: [a], older_than: soon", "expected a duration"),
        ("clean_cache", "folders: [/], older_than: 1h", "`/` is the whole system"),
        ("compute_stats", "folders: [], stats: s.json", "expected at least one folder"),
        ("export_report", "stats: s.json, html: r.html", "missing field `csv`"),
        ("sync_data", "from: a, to: b, remove: true", "unknown field `remove`"),
        ("sync_data", "from: a, to: b, compare: size", "unknown variant `size`"),
        ("sync_data", "from: a, to: b, leave_out: ['a***']", "`a***` is not a pattern"),
    ] {
        let yaml = format!(
            "tasks: [{{ plugin: housekeeping, task: {task}, enabled: true, config: {{ {settings} \
             }} }}]\n"
        );
        let config = ConfigFile::new(&plugins, &yaml);
        let ended = Run::new(["validate".as_ref(), config.path().as_os_str()]).finish();
        ended.expect_code(2).expect_stderr(&["hotbay.yaml:2:", problem]);
    }
}

#[test]
fn without_settings_no_task_runs() {
    let plugins = PluginsFolder::with(&["housekeeping"]);
    let config = ConfigFile::new(&plugins, "");
    let ended = Run::new(["validate".as_ref(), config.path().as_os_str()]).finish().expect_code(0);
    assert!(ended.stdout.contains("0 components, 0 tasks"), "{}", ended.stdout);
}
