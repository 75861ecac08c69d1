use std::time::Duration;

use hotbay_plugin_api::{Backoff, Durability, Misfire, OnDependencyFailure, Overlap, Priority};

use super::super::{Bound, ScheduleEntry, TaskEntry, TriggerEntry};
use super::{findings, parse};

/// The findings about tasks, without the name of the file.
fn found(tasks: &str) -> String {
    let found = findings(&format!("plugins: {{ folder: p }}\ntasks: {tasks}"));
    found.replace("etc/x.yaml:", "")
}

fn tasks(tasks: &str) -> Vec<TaskEntry> {
    parse(&format!("plugins: {{ folder: p }}\ntasks: {tasks}")).unwrap().tasks
}

fn schedule(text: &str) -> ScheduleEntry {
    tasks(&format!("[{{ name: a, schedule: {text} }}]"))[0].schedule.clone().unwrap()
}

#[test]
fn the_documented_form_of_a_task_is_read() {
    let text = "[{ name: sync_data, schedule: '0 3 * * *', priority: high, max_retries: 3, \
                retry_delay_seconds: 60, alert_on_failure: true, enabled: false }]";
    let task = &tasks(text)[0];
    assert_eq!(task.target(), (None, "sync_data"));
    let cron = TriggerEntry::Cron("0 3 * * *".to_owned());
    assert_eq!(task.schedule(), Some(("schedule", cron.into())));
    assert_eq!(task.priority.map(|it| it.0), Some(Priority::HIGH));
    assert_eq!((task.max_retries, task.retry_delay_seconds), (Some(3), Some(60)));
    assert_eq!((task.alert_on_failure, task.enabled), (Some(true), Some(false)));
}

#[test]
fn a_task_is_named_alone_with_its_plugin_or_by_the_key_of_a_mapping() {
    for (text, target) in [
        ("[{ name: a }]", (None, "a")),
        ("[{ task: a }]", (None, "a")),
        ("[{ name: p/a }]", (Some("p"), "a")),
        ("[{ plugin: p, name: a }]", (Some("p"), "a")),
        ("[{ plugin: p, task: a }]", (Some("p"), "a")),
        ("{ a: { enabled: true } }", (None, "a")),
        ("{ p/a: { enabled: true } }", (Some("p"), "a")),
        ("{ a: { plugin: p } }", (Some("p"), "a")),
    ] {
        assert_eq!(tasks(text)[0].target(), target, "{text}");
    }
    assert_eq!(found("[{ enabled: true }]"), "2:9: the key `name` is missing; add it here");
    assert_eq!(
        found("[{ name: a, task: b }]"),
        "2:26: `task` is the same as `name`; leave one of them out"
    );
    assert_eq!(
        found("{ a: { name: b } }"),
        "2:21: the task is named by its key already, `a`; leave `name` out"
    );
    assert_eq!(
        found("{ ' ': { enabled: true } }"),
        "2:10: expected text, found the string \" \"; name the task with its key"
    );
    let long = found(&format!("{{ {}: {{ enabled: true }} }}", "a".repeat(201)));
    assert!(long.starts_with("2:10: expected a name of at most 200 characters"), "{long}");
    assert!(long.len() < 200, "{long}");
    assert_eq!(
        found("[{ name: p/a }, { plugin: p, task: a }]"),
        "2:43: the task `a` of `p` is already adjusted; leave one of the two entries"
    );
}

#[test]
fn every_policy_has_its_words_and_its_mapping() {
    let text = "[{ name: a, priority: -5, depends_on: [b, q/c], on_dependency_failure: run, \
                backoff: exponential, timeout: 5m, overlap: allow, at_once: 4, key: disk, \
                min_start_interval: 1s, misfire: all, durability: async, jitter: 30s, \
                retry_delay: 250ms, alert_after: 3 }]";
    let task = &tasks(text)[0];
    assert_eq!(task.priority.map(|it| it.0), Some(Priority(-5)));
    assert_eq!(task.depends_on, Some(vec!["b".to_owned(), "q/c".to_owned()]));
    assert_eq!(task.on_dependency_failure, Some(OnDependencyFailure::Run));
    let hour = Duration::from_secs(3600);
    assert_eq!(task.backoff.map(|it| it.0), Some(Backoff::Exponential { cap: hour }));
    assert_eq!(task.timeout, Some(Bound::At(Duration::from_secs(300))));
    assert_eq!((task.overlap, task.at_once), (Some(Overlap::Allow), Some(Bound::At(4))));
    assert_eq!(task.misfire.and_then(|it| it.misfire), Some(Misfire::All { cap: 1_000 }));
    assert_eq!((task.durability, task.alert_after), (Some(Durability::Async), Some(3)));
    let text = "[{ name: a, backoff: { policy: exponential, cap: 10m }, timeout: none, \
                at_once: none, misfire: { policy: all, cap: 5, grace: 1h } }]";
    let task = &tasks(text)[0];
    let cap = Duration::from_secs(600);
    assert_eq!(task.backoff.map(|it| it.0), Some(Backoff::Exponential { cap }));
    assert_eq!((task.timeout, task.at_once), (Some(Bound::None), Some(Bound::None)));
    let misfire = task.misfire.unwrap();
    assert_eq!(misfire.misfire, Some(Misfire::All { cap: 5 }));
    assert_eq!(misfire.grace, Some(Bound::At(hour)));
}

#[test]
fn each_form_of_a_schedule_is_read() {
    let plain = |trigger: TriggerEntry| ScheduleEntry::from(trigger);
    let text = |text: &str| text.to_owned();
    assert_eq!(schedule("at_start"), plain(TriggerEntry::AtStart));
    assert_eq!(schedule("after_dependencies"), plain(TriggerEntry::AfterDependencies));
    assert_eq!(schedule("manual"), plain(TriggerEntry::Manual));
    assert_eq!(schedule("'@hourly'"), plain(TriggerEntry::Cron(text("@hourly"))));
    let minutes = TriggerEntry::Every(Duration::from_secs(300));
    assert_eq!(schedule("{ every: 5m }").trigger, minutes);
    assert_eq!(schedule("{ interval_seconds: 300 }").trigger, minutes);
    assert_eq!(schedule("{ event: fills }").trigger, TriggerEntry::Event(text("fills")));
    let at = schedule("{ at: 2026-12-24T18:00:00Z }");
    assert_eq!(at.trigger, TriggerEntry::At(text("2026-12-24T18:00:00Z")));
    let cron = schedule("{ cron: 0 3 * * *, timezone: Europe/Berlin, end: 2027-01-01 00:00 }");
    assert_eq!(cron.trigger, TriggerEntry::Cron(text("0 3 * * *")));
    assert_eq!(cron.timezone.as_deref(), Some("Europe/Berlin"));
    assert_eq!((cron.start, cron.end), (None, Some(text("2027-01-01 00:00"))));
    let interval = &tasks("[{ name: a, interval_seconds: 300 }]")[0];
    assert_eq!(interval.schedule(), Some(("interval_seconds", plain(minutes))));
}

#[test]
fn a_wrong_value_of_a_task_is_shown_at_its_place_with_what_it_may_be() {
    for (text, message) in [
        (
            "priority: hihg",
            "30: expected `high`, `normal`, `low`, or a number from -32768 to 32767, found the \
             string \"hihg\"",
        ),
        (
            "priority: 40000",
            "30: expected `high`, `normal`, `low`, or a number from -32768 to 32767, found the \
             number 40000",
        ),
        (
            "schedule: hourly",
            "30: expected a cron expression such as `0 3 * * *`, a nickname such as `@hourly`, \
             `at_start`, `after_dependencies`, `manual`, or a mapping, found the string \"hourly\"",
        ),
        (
            "schedule: { evry: 5m }",
            "32: unknown key `evry`; did you mean `every`? expected one of `every`, \
             `interval_seconds`, `cron`, `at`, `event`, `timezone`, `start`, `end`",
        ),
        (
            "schedule: { every: 5 }",
            "39: expected a duration such as `5s` or `250ms`, found the number 5",
        ),
        (
            "schedule: { every: 5m, cron: '* * * * *' }",
            "30: a schedule has either `every` or `cron`; leave one of them out",
        ),
        (
            "schedule: { timezone: UTC }",
            "30: the schedule does not say when; add one of `every`, `interval_seconds`, `cron`, \
             `at`, `event`",
        ),
        (
            "schedule: { every: 5m, timezone: UTC }",
            "30: `timezone` has no effect here, only with `cron`, `at`, `start` or `end`; leave it \
             out",
        ),
        (
            "schedule: { event: fills, start: 2026-12-24T18:00:00Z }",
            "30: `start` has no effect here, only with `every`, `interval_seconds` or `cron`; leave \
             it out",
        ),
        ("misfire: never", "29: unknown value `never`; expected one of `skip`, `once`, `all`"),
        (
            "misfire: { policy: once, cap: 3 }",
            "29: `cap` has no effect without `policy: all`; leave it out",
        ),
        (
            "backoff: { policy: constant, cap: 3s }",
            "29: `cap` has no effect with a constant delay; leave it out",
        ),
        (
            "timeout: never",
            "29: expected a duration such as `5s` or `250ms`, found the string \"never\"",
        ),
        ("at_once: 0", "29: expected a whole number from 1 to 1000000, found the number 0"),
        ("max_retries: -1", "33: expected a whole number from 0 to 1000000, found the number -1"),
        (
            "interval: 5m, schedule: manual",
            "30: an entry has either `schedule` or `interval`; leave one of them out",
        ),
        (
            "retry_delay: 1s, retry_delay_seconds: 1",
            "58: an entry has either `retry_delay` or `retry_delay_seconds`; leave one of them out",
        ),
        (
            "alert_on_failure: false, alert_after: 2",
            "58: `alert_after` has no effect with `alert_on_failure: false`; leave one of them out",
        ),
    ] {
        assert_eq!(found(&format!("[{{ name: a, {text} }}]")), format!("2:{message}"), "{text}");
    }
    let long = format!("* * * * {}", "1".repeat(1_000));
    let long = found(&format!("[{{ name: a, schedule: '{long}' }}]"));
    assert!(long.starts_with("2:30: expected a name of at most 200 characters"), "{long}");
    assert!(long.len() < 200, "{long}");
    assert_eq!(
        found("3"),
        "2:8: expected a list of tasks, found the number 3; start each with `- name: …`"
    );
}

#[test]
fn more_tasks_than_a_file_may_have_are_refused_with_their_number() {
    let message = "the configuration has 10001 tasks; 10000 are the limit; leave some out, or use \
                   several hosts";
    let list = "- { name: a }\n".repeat(10_001);
    assert_eq!(found(&format!("\n{list}")), format!("3:3: {message}"));
    let mapping: String = (0..10_001).map(|index| format!("  a{index}:\n")).collect();
    assert_eq!(found(&format!("\n{mapping}")), format!("3:3: {message}"));
}

#[test]
fn a_variable_that_is_not_set_is_the_only_finding_about_its_entry() {
    for text in [
        "[{ name: ${UNSET}, enabled: true }]",
        "[{ name: a, schedule: { every: ${UNSET} } }]",
        "[{ name: a, schedule: { at: \"${UNSET}\", start: 2027-01-01T00:00:00Z } }]",
        "[{ name: a, misfire: { policy: ${UNSET}, cap: 3 } }]",
        "{ a: { backoff: { policy: ${UNSET} } } }",
    ] {
        let found = found(text);
        assert_eq!(found.lines().count(), 1, "{text}\n{found}");
        assert!(found.contains("the environment variable `UNSET` is not set"), "{found}");
    }
}
