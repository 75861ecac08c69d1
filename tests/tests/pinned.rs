//! Plugins that leave threads running, or something on foreign threads: they stay mapped as
//! long as that lasts, are named with the reason, and the host lives.

use std::{ffi::OsStr, fs, path::PathBuf};

use hotbay_tests::{
    ConfigFile, PluginsFolder, Run, Running, Signal, another_build, library, proc, put, until,
};
use serde_json::Value;

const RELOAD: &str = "settle: 20ms, probation: 50ms";

/// A host with one plugin, whose task leaves something behind.
struct Scene {
    folder: PluginsFolder,
    config: ConfigFile,
    running: Running,
    plugin: &'static str,
}

impl Scene {
    /// The task comes often, and each build leaves something behind once.
    fn start(plugin: &'static str, task: &str, reload: &str) -> Self {
        let folder = PluginsFolder::with(&[plugin]);
        let config = ConfigFile::new(&folder, "");
        let end = config.path().with_file_name("end");
        let settings = match task {
            "start" => format!(", config: {{ until: {} }}", end.display()),
            _ => String::new(),
        };
        config.rewrite(
            &folder,
            &format!(
                "reload: {{ {RELOAD}, {reload} }}\n\
                 tasks: [{{ plugin: {plugin}, task: {task}, interval: 20ms{settings} }}]\n"
            ),
        );
        let running = Run::config(config.path()).log("info").start();
        until("the host runs", || config.status());
        let scene = Self { folder, config, running, plugin };
        scene.wait_for_run();
        scene
    }

    fn end_file(&self) -> PathBuf {
        self.config.path().with_file_name("end")
    }

    fn runs(&self) -> Option<u64> {
        let status = self.config.status()?;
        let task = status["tasks"].as_array()?.first()?.clone();
        assert_eq!(task["failed"], 0, "{task}");
        task["runs"].as_u64()
    }

    /// Waits for a whole run of the build in service; one may be under way.
    fn wait_for_run(&self) {
        let before = until("its task is known", || self.runs());
        until("its task has run", || (self.runs()? > before + 1).then_some(()));
    }

    fn put_build(&self, number: u64) {
        let file = self.folder.file_of(self.plugin);
        put(&file, &another_build(library(self.plugin), number));
    }

    /// Puts another build in place and waits until it is the one in service, for good.
    fn replace(&self, number: u64) {
        let before = self.in_service().expect("a build is in service")["generation"].clone();
        self.put_build(number);
        until("the new build is in service", || {
            let now = self.in_service()?;
            (now["generation"] != before && now["state"] == "in-service").then_some(())
        });
        self.wait_for_run();
    }

    fn in_service(&self) -> Option<Value> {
        let status = self.config.status()?;
        let mut plugins = status["plugins"].as_array()?.iter();
        let is_in_service =
            |it: &&Value| it["state"] == "in-service" || it["state"] == "on-probation";
        plugins.find(is_in_service).cloned()
    }

    /// What `hotbay plugin list` says could not be unloaded, as soon as it is so many.
    fn leaks(&self, count: usize) -> Vec<Value> {
        let path = self.config.path();
        let arguments = ["plugin", "list", "--output", "json", "--config"];
        let arguments = arguments.iter().map(OsStr::new).chain([path.as_os_str()]);
        let arguments: Vec<_> = arguments.collect();
        until(&format!("{count} leaks"), || {
            let shown = Run::new(&arguments).finish().expect_code(0).stdout;
            let shown: Value = serde_json::from_str(&shown).expect("a status is JSON");
            let mut plugins = shown["plugins"].as_array()?.clone();
            plugins.retain(|it| it["state"] == "leaked");
            (plugins.len() == count).then_some(plugins)
        })
    }

    fn end_threads(&self) {
        fs::write(self.end_file(), "").expect("a file can be written");
    }

    /// How many ranges the host has mapped of files with this in their path.
    fn mappings(&self, of: &str) -> usize {
        proc::mappings(self.running.id()).iter().filter(|path| path.contains(of)).count()
    }

    /// Stops the host; gives the problems that it reports.
    fn stop(self) -> Vec<String> {
        self.running.signal(Signal::Terminate);
        let report = self.running.wait().expect_code(0).report();
        report.problems().into_iter().map(str::to_owned).collect()
    }
}

fn has_thread(running: &Running, name: &str) -> bool {
    proc::thread_names(running.id()).iter().any(|it| it == name)
}

#[test]
fn a_thread_without_thread_locals_keeps_its_build_mapped_until_it_ends() {
    let scene = Scene::start("raw-thread", "start", "leaks: 8");
    scene.replace(2);
    let [leak] = &scene.leaks(1)[..] else { unreachable!("they were counted") };
    assert_eq!((&leak["name"], &leak["generation"]), (&"raw-thread".into(), &1.into()), "{leak}");
    assert!(leak["mapped_bytes"].as_u64().unwrap() > 100_000, "{leak}");
    assert_eq!(leak["threads"], 1, "{leak}");
    let reason = leak["reason"].as_str().unwrap();
    assert!(reason.starts_with("thread `raw-thread` ("), "{reason}");
    assert!(reason.ends_with("), started since it was loaded, still runs its code"), "{reason}");
    let hash = leak["hash"].as_str().unwrap()[..16].to_owned();
    assert!(scene.mappings(&hash) > 0);
    scene.end_threads();
    scene.leaks(0);
    assert_eq!(scene.mappings(&hash), 0);
    scene.running.wait_for_log("plugin raw-thread (generation 1) is unmapped at last");
    assert!(!has_thread(&scene.running, "raw-thread"));
    assert_eq!(scene.stop(), [""; 0]);
}

#[test]
fn a_plugin_that_is_removed_while_a_thread_runs_its_code_stays_mapped_and_the_host_lives() {
    let scene = Scene::start("raw-thread", "start", "leaks: 8");
    fs::remove_file(scene.folder.file_of("raw-thread")).unwrap();
    assert_eq!(scene.leaks(1)[0]["name"], "raw-thread");
    assert!(has_thread(&scene.running, "raw-thread"));
    scene.folder.add("hello");
    until("another plugin is loaded", || (scene.in_service()?["name"] == "hello").then_some(()));
    let [problem] = &scene.stop()[..] else { panic!("one problem") };
    assert!(problem.contains("plugin raw-thread (generation 1) stays mapped: thread"), "{problem}");
}

#[test]
fn too_many_builds_that_stay_mapped_stop_replacements_until_they_are_gone() {
    let scene = Scene::start("raw-thread", "start", "leaks: 2");
    scene.replace(2);
    scene.leaks(1);
    scene.replace(3);
    let leaks = scene.leaks(2);
    let generations: Vec<_> = leaks.iter().map(|it| it["generation"].as_u64().unwrap()).collect();
    assert_eq!(generations, [1, 2]);
    scene.put_build(4);
    let record = until("the third replacement", || scene.config.records().into_iter().nth(2));
    assert_eq!((&record["outcome"], &record["step"]), (&"refused".into(), &"leaks".into()));
    let reason = record["reason"].as_str().unwrap();
    for text in ["2 builds", "`reload.leaks`", "thread `raw-thread` (", "restart the host"] {
        assert!(reason.contains(text), "{text} is missing in: {reason}");
    }
    assert_eq!(scene.in_service().unwrap()["generation"], 3, "the old one goes on");
    scene.end_threads();
    scene.leaks(0);
    scene.replace(5);
    assert_eq!(scene.stop(), [""; 0]);
}

#[test]
fn a_thread_of_the_standard_library_is_named_as_well() {
    let folder = PluginsFolder::with(&["leaves-thread"]);
    let config = ConfigFile::new(&folder, &format!("reload: {{ {RELOAD} }}\n"));
    let running = Run::config(config.path()).start();
    until("the thread", || has_thread(&running, "left-behind").then_some(()));
    fs::remove_file(folder.file_of("leaves-thread")).unwrap();
    let reason = until("the leak", || {
        let status = config.status()?;
        let plugins = status["plugins"].as_array()?;
        let leaked = plugins.iter().find(|it| it["state"] == "leaked")?;
        Some(leaked["reason"].as_str()?.to_owned())
    });
    assert!(reason.contains("`left-behind` ("), "{reason}");
    running.signal(Signal::Terminate);
    running.wait().expect_code(0).expect_stderr(&["stays mapped: ", "`left-behind` ("]);
}

#[test]
fn a_thread_local_on_a_thread_of_the_host_keeps_its_build_mapped_and_is_told_apart() {
    let scene = Scene::start("foreign-local", "set", "leaks: 8");
    scene.replace(2);
    let [leak] = &scene.leaks(1)[..] else { unreachable!("they were counted") };
    assert_eq!((&leak["generation"], &leak["threads"]), (&1.into(), &0.into()), "{leak}");
    let reason = leak["reason"].as_str().unwrap();
    let expected = "a thread outside of its bay holds a thread-local of it";
    assert!(reason.starts_with(expected), "{reason}");
    assert!(leak["mapped_bytes"].as_u64().unwrap() > 100_000, "{leak}");
    let problems = scene.stop();
    assert_eq!(problems.len(), 2, "one of each build: {problems:?}");
}

#[test]
fn a_thread_of_a_library_that_a_plugin_brings_along_keeps_both_mapped() {
    let scene = Scene::start("c-threads", "start", "leaks: 8");
    // The new build needs the library as well, which so stays without the old one.
    scene.replace(2);
    let first = |it: &Value| it["generation"] == 1;
    until("the old build is gone", || {
        let status = scene.config.status()?;
        (!status["plugins"].as_array()?.iter().any(first)).then_some(())
    });
    scene.leaks(0);
    fs::remove_file(scene.folder.file_of("c-threads")).unwrap();
    let leaks = scene.leaks(1);
    let reason = leaks[0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("threads `c-thread` ("), "{reason}");
    assert_eq!(leaks[0]["threads"], 2, "one of each build");
    assert!(scene.mappings("libhotbay-c-threads") > 0);
    scene.end_threads();
    scene.leaks(0);
    assert_eq!(scene.mappings("libhotbay-c-threads"), 0);
    assert_eq!(scene.stop(), [""; 0]);
}
