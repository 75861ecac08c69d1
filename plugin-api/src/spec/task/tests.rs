use serde_json::json;

use super::*;

fn read(value: Value) -> TaskSpec {
    serde_json::from_value(value).unwrap()
}

#[test]
fn a_spec_with_a_name_and_a_function_runs_once_at_start() {
    let spec = read(json!({ "name": "a", "function": "sync" }));
    assert_eq!(spec, TaskSpec::new("a", FunctionKind::Sync));
}

#[test]
fn every_field_comes_back_as_it_was_written() {
    let seconds = Duration::from_secs;
    let spec = TaskSpec {
        description: "nightly".to_owned(),
        schedule: Schedule::Cron { expression: "0 3 * * *".into(), zone: "Europe/Paris".into() },
        priority: Priority(7),
        depends_on: vec!["b".to_owned()],
        attempts: 3,
        retry_delay: seconds(1),
        backoff: Backoff::Exponential { cap: seconds(60) },
        timeout: Some(seconds(2)),
        overlap: Overlap::Replace,
        misfire: Misfire::All { cap: 5 },
        jitter: seconds(10),
        alert_after: Some(2),
        arguments: json!({ "type": "object" }),
        enabled: false,
        ..TaskSpec::new("a", FunctionKind::Async)
    };
    let json = serde_json::to_value(&spec).unwrap();
    assert_eq!(read(json), spec);
}

#[test]
fn durations_cross_as_milliseconds_under_names_that_say_so() {
    let spec = TaskSpec {
        schedule: Schedule::Every(Duration::from_secs(60)),
        timeout: Some(Duration::from_secs(2)),
        ..TaskSpec::new("a", FunctionKind::Async)
    };
    let json = serde_json::to_value(&spec).unwrap();
    assert_eq!(json["schedule"], json!({ "every_ms": 60_000 }));
    assert_eq!(json["timeout_ms"], json!(2_000));
}

#[test]
fn a_field_of_a_later_sdk_is_kept_by_name_unless_it_can_have_no_effect() {
    let spec = read(json!({
        "name": "a", "function": "async",
        "grace_ms": 500,
        "x-icon": "moon",
        "region": "", "exclusive": false, "weight": 0, "labels": [], "limits": {}, "owner": null,
    }));
    assert_eq!(spec.not_understood.keys().collect::<Vec<_>>(), ["grace_ms"]);
}

#[test]
fn a_value_of_a_later_sdk_is_kept_under_its_fields_name() {
    let spec = read(json!({
        "name": "a", "function": "async",
        "schedule": { "on_event": "fills" },
        "overlap": "merge",
        "misfire": { "all": { "cap": 2, "newest": true } },
        "attempts": 2,
    }));
    let mut names: Vec<_> = spec.not_understood.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["misfire", "overlap", "schedule"]);
    assert_eq!(spec.attempts, 2);
}

#[test]
fn a_spec_without_a_name_or_of_an_unknown_function_is_no_spec() {
    for json in [json!({ "function": "async" }), json!({ "name": "a", "function": "quantum" })] {
        assert!(serde_json::from_value::<TaskSpec>(json).is_err());
    }
}

#[test]
fn a_task_kind_of_a_later_sdk_keeps_what_this_host_does_not_understand() {
    let json = json!({ "name": "a", "function": "sync", "timeout_ms": 5, "x-icon": "moon" });
    let kind: crate::spec::TaskKindSpec = serde_json::from_value(json).unwrap();
    assert_eq!(kind.not_understood.keys().collect::<Vec<_>>(), ["timeout_ms"]);
}
