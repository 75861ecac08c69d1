//! What files say about the tasks of plugins: the configuration, the settings beside a library, and
//! the order in which they take precedence.

use std::process::Command;

use hotbay_tests::{ConfigFile, PluginsFolder, Run, Running, switched_off, until};
use serde_json::Value;

const TASKS: [&str; 12] = [
    "ticks", "after", "once", "stubborn", "hangs", "deaf", "beside", "adds", "waits", "doomed",
    "past", "hears",
];

/// The configuration of a host that follows changes at once, without the tasks that are not named.
fn only(tasks: &[&str], yaml: &str) -> String {
    let off = switched_off("schedules", &TASKS, tasks);
    format!("reload: {{ watch: true, settle: 20ms }}\ntasks:\n{off}{yaml}")
}

fn start(config: &ConfigFile) -> Running {
    Run::config(config.path()).log("info").start()
}

/// The row of a task in the status.
fn row(config: &ConfigFile, task: &str) -> Option<Value> {
    config.entry("tasks", "id", task)
}

/// `Some` if a run of a task waits for its place.
fn waiting(config: &ConfigFile, task: &str) -> Option<()> {
    let config = config.path();
    let arguments = ["task", "show", config.to_str()?, task, "--output", "json"];
    let ended = Run::new(arguments).finish();
    let shown: Value = serde_json::from_str(&ended.stdout).ok()?;
    (shown["task"]["waiting"] == 1 && shown["task"]["running"] == 0).then_some(())
}

/// The findings of `hotbay validate` about tasks of `schedules` that a configuration changes.
fn refusal(yaml: &str) -> String {
    let folder = PluginsFolder::with(&["schedules"]);
    let config = ConfigFile::new(&folder, &format!("tasks:\n{yaml}\n"));
    let ended = Run::new(["validate".as_ref(), config.path().as_os_str()]).finish().expect_code(2);
    ended.stderr
}

#[test]
fn the_documented_form_overrides_the_manifest_and_the_configuration_the_settings_beside() {
    let folder = PluginsFolder::with(&["schedules"]);
    // The manifest says three attempts, the third of which would succeed.
    folder.write(
        "schedules.yaml",
        b"tasks:\n  - name: stubborn\n    alert_on_failure: true\n    max_retries: 5\n    \
          retry_delay_seconds: 0\n",
    );
    let config = ConfigFile::new(
        &folder,
        &only(&["stubborn"], "  - { name: stubborn, max_retries: 1, priority: high }\n"),
    );
    let running = start(&config);
    running.wait_for_log("alert: 1 run failed, the last one: ");
    let row = row(&config, "schedules/stubborn").unwrap();
    assert_eq!((&row["runs"], &row["failed"]), (&1.into(), &1.into()), "{row}");
    // A task that runs once has failed.
    let log = running.stop().expect_code(1).stderr;
    assert!(log.contains("stubborn: schedules/stubborn/1 attempt 2"), "{log}");
    assert!(!log.contains("stubborn: schedules/stubborn/1 attempt 3"), "{log}");
}

/// What the clock of a zone will show in three seconds.
fn in_three_seconds(zone: &str, format: &str) -> String {
    let mut date = Command::new("date");
    let output =
        date.env("TZ", zone).args(["-d", "+3 seconds", format]).output().expect("`date` runs");
    String::from_utf8(output.stdout).expect("it is text").trim().to_owned()
}

#[test]
fn a_task_runs_by_each_form_of_a_schedule() {
    let folder = PluginsFolder::with(&["schedules"]);
    let soon = in_three_seconds("UTC", "+%Y-%m-%dT%H:%M:%SZ");
    let local = in_three_seconds("Asia/Tokyo", "+%Y-%m-%d %H:%M:%S");
    let forms = [
        ("ticks", "'* * * * * *'".to_owned(), "every second (UTC)"),
        (
            "beside",
            "{ cron: '* * * * * *', timezone: Asia/Tokyo }".to_owned(),
            "every second (Asia/Tokyo)",
        ),
        ("once", "{ interval_seconds: 1 }".to_owned(), "every 1s"),
        ("deaf", "{ every: 700ms }".to_owned(), "every 700ms"),
        ("stubborn", "at_start".to_owned(), "at start"),
        ("past", format!("{{ at: {soon} }}"), "once at"),
        ("doomed", format!("{{ at: {local}, timezone: Asia/Tokyo }}"), "once at"),
        ("after", "after_dependencies".to_owned(), "after its dependencies"),
    ];
    let entry = |(task, schedule, _): &(&str, String, &str)| {
        let depends_on = match *task {
            "after" => "depends_on: [once], ",
            "doomed" => "depends_on: [], ",
            _ => "",
        };
        format!("  - {{ name: {task}, {depends_on}schedule: {schedule} }}\n")
    };
    let yaml: String = forms.iter().map(entry).collect();
    let names = forms.each_ref().map(|(task, ..)| *task);
    let config = ConfigFile::new(&folder, &only(&names, &yaml));
    let running = start(&config);
    for (task, _, words) in &forms {
        let id = format!("schedules/{task}");
        let row = until(task, || row(&config, &id).filter(|row| row["runs"].as_u64() > Some(0)));
        assert!(row["schedule"].as_str().unwrap().starts_with(words), "{row}");
    }
    drop(running.stop().expect_code(0));
}

#[test]
fn a_schedule_that_is_edited_takes_effect_and_does_not_fire_at_once() {
    let folder = PluginsFolder::with(&["hello"]);
    let yaml = |entry: &str| {
        format!(
            "reload: {{ watch: true, settle: 20ms }}\ntasks:\n  - {{ name: heartbeat{entry} }}\n  \
             - {{ name: greet, schedule: manual }}\n"
        )
    };
    let config = ConfigFile::new(&folder, &yaml(", interval: 1h"));
    let running = start(&config);
    let is = |words: &str| {
        until(words, || {
            let row = row(&config, "hello/heartbeat")?;
            row["schedule"].as_str()?.starts_with(words).then_some(row)
        })
    };
    until("the first run", || (is("every 1h")["runs"] == 1).then_some(()));
    for (entry, words) in [
        (", schedule: { every: 2h }", "every 2h"),
        (", schedule: '0 0 1 1 *'", "at "),
        (", schedule: { at: 2020-01-01T00:00:00Z }", "once at"),
        (", schedule: manual", "on request"),
        (", schedule: at_start", "at start"),
    ] {
        config.rewrite(&folder, &yaml(entry));
        assert_eq!(is(words)["runs"], 1, "{words}");
    }
    // The settings beside the library count when the configuration says nothing.
    folder.write("hello.yaml", b"tasks: [{ name: heartbeat, schedule: { every: 3h } }]\n");
    config.rewrite(&folder, &yaml(""));
    is("every 3h");
    folder.write("hello.yaml", b"tasks: [{ name: heartbeat, interval_seconds: 14400 }]\n");
    assert_eq!(is("every 4h")["runs"], 1);
    // What is asked for now comes after what was due before.
    folder.write("hello.yaml", b"tasks: { heartbeat: { schedule: { every: 50ms } } }\n");
    until("it runs again", || (is("every 50ms")["runs"].as_u64() > Some(1)).then_some(()));
    drop(running.stop().expect_code(0));
}

#[test]
fn a_value_that_can_not_be_kept_is_refused_at_its_place() {
    let found = refusal(
        "  - { name: ticks, schedule: '0 0 30 2 *' }
  - { name: once, schedule: { cron: '0 0 * *', timezone: Europe/Berlin } }
  - { name: past, schedule: { cron: '0 0 * * *', timezone: Europe/Bärlin } }
  - { name: hangs, schedule: { at: 2026-12-24 18:00 } }
  - { name: deaf, schedule: { at: tomorrow, timezone: UTC } }
  - { name: waits, schedule: { every: 5m, start: 2026-12-24 18:00, timezone: Mars/Phobos } }
  - { plugin: elsewhere, task: a, schedule: '61 * * * *' }
  - { name: doomed, schedule: { at: '2026-12-24T18:00[Mars/Phobos]', timezone: UTC } }",
    );
    for expected in [
        "hotbay.yaml:3:30: `0 0 30 2 *` never matches: no such date exists",
        "hotbay.yaml:4:37: `0 0 * *` is not a cron expression: ",
        "hotbay.yaml:5:60: there is no time zone `Europe/Bärlin`; use a name of the IANA database",
        "hotbay.yaml:6:36: `2026-12-24 18:00` is a local time without a zone; add the zone",
        "hotbay.yaml:7:35: `tomorrow` is no time; write it as `2026-12-24T18:00:00Z`, or as",
        "hotbay.yaml:8:78: there is no time zone `Mars/Phobos`",
        "hotbay.yaml:9:45: `61 * * * *` is not a cron expression",
        "hotbay.yaml:10:37: there is no time zone `Mars/Phobos`",
    ] {
        assert!(found.contains(expected), "{expected}\n{found}");
    }
    let found = refusal(
        "  - { name: beside, at_once: 2, overlap: queue }
  - { name: once, schedule: after_dependencies }
  - { name: ticks, depends_on: [onse] }
  - { name: past, schedule: { every: 1h, start: 2027-01-01T00:00Z, end: 2026-01-01T00:00Z } }
  - { name: unknwon }
  - { name: hangs, enabled: true }
  - { plugin: schedules, task: hangs, enabled: true }",
    );
    for expected in [
        "hotbay.yaml:3:30: task `beside` of plugin `schedules` limits its runs with `at_once`, but",
        "hotbay.yaml:4:29: task `once` of plugin `schedules` runs after its dependencies, but names \
         none in `depends_on`; change it, or switch the task off with `enabled: false`",
        "hotbay.yaml:5:32: task `ticks` of plugin `schedules` depends on `onse`",
        "hotbay.yaml:6:29: task `past` of plugin `schedules` has a schedule that ends at",
        "hotbay.yaml:7:13: no loaded plugin has a task `unknwon`; the plugins have `ticks`",
        "hotbay.yaml:9:32: the task `hangs` of `schedules` is already adjusted",
    ] {
        assert!(found.contains(expected), "{expected}\n{found}");
    }
}

#[test]
fn a_name_that_more_than_one_plugin_has_is_answered_with_their_names() {
    let folder = PluginsFolder::with(&["schedules", "slow-tasks"]);
    let yaml = "tasks: [{ name: once, enabled: false }]\n";
    let config = ConfigFile::new(&folder, yaml);
    let ended = Run::new(["validate".as_ref(), config.path().as_os_str()]).finish().expect_code(2);
    ended.expect_stderr(&[
        "hotbay.yaml:2:17: more than one plugin has a task `once`: `schedules`, `slow-tasks`; name \
         the one that is meant: `schedules/once`, `slow-tasks/once`",
    ]);
    // A plugin that comes later does not make it unclear.
    let folder = PluginsFolder::with(&["schedules"]);
    let config = ConfigFile::new(&folder, &only(&[], "").replace("name: schedules/", "name: "));
    let running = start(&config);
    until("the host answers", || config.status());
    folder.add("slow-tasks");
    running.wait_for_log("more than one plugin has a task `once`");
    assert!(row(&config, "slow-tasks/once").is_none());
    drop(running.stop().expect_code(0));
}

#[test]
fn a_wrong_value_beside_a_library_is_shown_at_its_place() {
    let folder = PluginsFolder::with(&["hello"]);
    folder.write(
        "hello.yaml",
        b"tasks:\n- name: greet\n  schedule: '0 0 30 2 *'\n- name: hello/heart\n- name: other/x\n\
          components:\n  bogus: {}\n",
    );
    let config = ConfigFile::new(&folder, "reload: { watch: false }\n");
    let ended = Run::config(config.path()).finish().expect_code(2);
    ended.expect_stderr(&[
        "hello.yaml:3:13: `0 0 30 2 *` never matches",
        "hello.yaml:4:9: plugin `hello` has no task `heart`",
        "hello.yaml:5:9: a task of plugin `other` in the settings of `hello`",
        "hello.yaml:7:3: plugin `hello` has no component `bogus`; it has ",
    ]);
}

#[test]
fn runs_wait_for_a_place_of_their_key_and_of_the_host_until_the_limit_is_raised() {
    let folder = PluginsFolder::with(&["schedules"]);
    let yaml = |limits: &str, key: &str| {
        let tasks = format!(
            "  - {{ name: hangs, timeout: none, priority: high{key} }}\n  - {{ name: once{key} }}\n"
        );
        only(&["hangs", "once"], &tasks) + "shutdown: { drain: 100ms }\n" + limits
    };
    for (before, after, key) in [
        ("limits: { at_once: 1 }\n", "limits: { at_once: 2 }\n", ""),
        ("limits: { at_once_per_plugin: 1 }\n", "", ""),
        ("", "limits: { at_once_per_key: 2 }\n", ", key: disk"),
    ] {
        let config = ConfigFile::new(&folder, &yaml(before, key));
        let running = start(&config);
        until("the host answers", || config.status());
        // It begins first, having the higher priority.
        until("one run has the place", || waiting(&config, "schedules/once"));
        config.rewrite(&folder, &yaml(after, key));
        running.wait_for_log("once: schedules/once/");
        drop(running.stop());
    }
}

#[test]
fn a_schedule_is_said_in_words_with_the_next_three_times() {
    let folder = PluginsFolder::with(&["hello"]);
    let schedule = "{ cron: '30 2 * * 1-5', timezone: Europe/Paris, start: 2096-03-01 00:00 }";
    let yaml = format!("tasks: [{{ name: heartbeat, schedule: {schedule} }}]\n");
    let config = ConfigFile::new(&folder, &yaml);
    let ended = Run::new(["validate".as_ref(), config.path().as_os_str()]).finish().expect_code(0);
    let next = "2096-03-01 02:30:00+01:00, 2096-03-02 02:30:00+01:00, 2096-03-05 02:30:00+01:00";
    let words =
        "at 02:30, on Monday, Tuesday, Wednesday, Thursday, and Friday (Europe/Paris), from";
    for text in ["hello/heartbeat", "at 02:30, on Monday", "2096-03-05", "at start"] {
        assert!(ended.stdout.contains(text), "{text}\n{}", ended.stdout);
    }
    let running = start(&config);
    running.wait_for_log(&format!("next=\"{next}\""));
    running.wait_for_log(words);
    let log = running.stop().expect_code(0).stderr;
    assert!(log.contains("schedule=\"at start\""), "{log}");
    assert!(!log.contains("next=\"\""), "{log}");
}

#[test]
fn the_file_config_yaml_beside_the_libraries_is_about_the_tasks_of_all_of_them() {
    let folder = PluginsFolder::with(&["hello", "schedules"]);
    let shared = |every: &str, config: &str| {
        let text = format!(
            "tasks:\n- name: stubborn\n  max_retries: 0\n  alert_on_failure: true\n- name: \
             heartbeat\n  schedule: {{ every: {every} }}\n- name: greet\n  config: {config}\n"
        );
        folder.write("config.yaml", text.as_bytes());
    };
    shared("2h", "{ name: Ada }");
    folder.write("hello.yaml", b"tasks: { greet: { config: { name: Grace } } }\n");
    let config = ConfigFile::new(&folder, &only(&["stubborn"], ""));
    let running = start(&config);
    running.wait_for_log("alert: 1 run failed, the last one: ");
    running.wait_for_log("Grace");
    let is = |words: &str| {
        let says = || (row(&config, "hello/heartbeat")?["schedule"] == words).then_some(());
        until(words, says);
    };
    is("every 2h");
    shared("3h", "{ name: Ada }");
    is("every 3h");
    folder.write("config.yaml", b"threads: 3\n");
    running.wait_for_log("config.yaml:1:1: unknown key `threads`; expected `tasks`");
    folder.write("config.yaml", b"tasks: [{ name: greeet }]\n");
    running.wait_for_log("config.yaml:1:17: warning: no loaded plugin has a task `greeet` yet");
    drop(running.stop().expect_code(1));
}

#[test]
fn a_configuration_that_stands_among_the_plugins_is_no_settings_of_theirs() {
    let folder = PluginsFolder::with(&["hello"]);
    let config = folder.write("config.yaml", b"plugins: { folder: . }\nlimits: { at_once: 9 }\n");
    drop(Run::new(["validate".as_ref(), config.as_os_str()]).finish().expect_code(0));
}
