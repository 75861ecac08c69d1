//! `hotbay task next` without a host: the times of a cron expression or of an interval.

#![expect(clippy::unwrap_used, reason = "a test may")]

use hotbay_tests::{Ended, Run};
use serde_json::Value;

fn next(arguments: &[&str]) -> Ended {
    Run::new([&["task", "next"], arguments].concat()).finish()
}

/// The times of an expression after a time, on the clock of the zone with their offsets, and what
/// changes of the clock have to do with them.
fn times(expression: &str, zone: &str, after: &str, count: usize) -> Vec<(String, Value)> {
    let count = count.to_string();
    let options = ["--timezone", zone, "--from", after, "--count", &count, "--output", "json"];
    let ended = next(&[&[expression], &options[..]].concat()).expect_code(0);
    let shown: Value = serde_json::from_str(&ended.stdout).unwrap();
    let time = |it: &Value| (it["local"].as_str().unwrap().to_owned(), it["clock_change"].clone());
    shown["times"].as_array().unwrap().iter().map(time).collect()
}

#[test]
fn a_schedule_is_the_right_one_across_changes_of_the_clock() {
    for (expression, zone, after, expected) in [
        (
            "30 2 * * *",
            "America/New_York",
            "2025-03-08T12:00:00-05:00",
            &["2025-03-09T03:00:00-04:00", "2025-03-10T02:30:00-04:00"][..],
        ),
        (
            "30 2,14 * * *",
            "America/New_York",
            "2025-03-08T20:00:00-05:00",
            &[
                "2025-03-09T03:00:00-04:00",
                "2025-03-09T14:30:00-04:00",
                "2025-03-10T02:30:00-04:00",
            ],
        ),
        (
            "0 0 * * *",
            "Europe/London",
            "2025-03-29T12:00:00+00:00",
            &["2025-03-30T00:00:00+00:00", "2025-03-31T00:00:00+01:00"],
        ),
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2025-10-04T12:00:00+10:30",
            &["2025-10-05T02:30:00+11:00", "2025-10-06T02:15:00+11:00"],
        ),
        (
            "30 1 * * *",
            "America/New_York",
            "2025-11-02T01:10:00-05:00",
            &["2025-11-03T01:30:00-05:00", "2025-11-04T01:30:00-05:00"],
        ),
        (
            "0 0 * * *",
            "America/Havana",
            "2025-11-01T12:00:00-04:00",
            &["2025-11-02T00:00:00-04:00", "2025-11-03T00:00:00-05:00"],
        ),
        (
            "*/20 * * * *",
            "Australia/Lord_Howe",
            "2025-04-06T01:25:00+11:00",
            &[
                "2025-04-06T01:40:00+11:00",
                "2025-04-06T01:40:00+10:30",
                "2025-04-06T02:00:00+10:30",
            ],
        ),
        (
            "@hourly",
            "America/New_York",
            "2025-11-02T00:30:00-04:00",
            &[
                "2025-11-02T01:00:00-04:00",
                "2025-11-02T01:00:00-05:00",
                "2025-11-02T02:00:00-05:00",
            ],
        ),
        ("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", &["2104-02-29T00:00:00+00:00"]),
    ] {
        let found = times(expression, zone, after, expected.len());
        let found: Vec<_> = found.iter().map(|(local, _)| local.as_str()).collect();
        assert_eq!(found, expected, "{expression} in {zone} after {after}");
    }
}

#[test]
fn times_at_which_the_clock_is_changed_are_marked() {
    let gap = times("30 2 * * *", "Europe/Berlin", "2025-03-29T12:00:00+01:00", 2);
    assert_eq!(gap[0].1["moved_from"], "2025-03-30T02:30:00");
    assert_eq!(gap[1].1, Value::Null);
    let fold = times("30 2 * * *", "Europe/Berlin", "2025-10-25T12:00:00+02:00", 2);
    assert_eq!((&fold[0].1, &fold[1].1), (&"first_of_two".into(), &Value::Null));
    let both = times("0 * * * *", "Europe/Berlin", "2025-10-25T23:30:00Z", 3);
    let changes: Vec<_> = both.iter().map(|(_, change)| change.clone()).collect();
    assert_eq!(changes, ["first_of_two".into(), "second_of_two".into(), Value::Null]);
}

#[test]
fn a_table_shows_local_times_offsets_and_utc_in_80_columns() {
    let options = ["--timezone", "Europe/Berlin", "--count", "3", "--from", "2025-10-25"];
    let text = next(&[&["0 30 2 * * *"], &options[..]].concat()).expect_code(0).stdout;
    assert!(text.starts_with("at 02:30 (Europe/Berlin)\n"), "{text}");
    for row in [
        "│ Sat 2025-10-25 02:30:00 ┆ +02:00 ┆ 2025-10-25 00:30:00Z ┆              │",
        "│ Sun 2025-10-26 02:30:00 ┆ +02:00 ┆ 2025-10-26 00:30:00Z ┆ first of two │",
        "│ Mon 2025-10-27 02:30:00 ┆ +01:00 ┆ 2025-10-27 01:30:00Z ┆              │",
    ] {
        assert!(text.contains(row), "{row} in:\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let gap = ["--timezone", "Europe/Berlin", "--count", "1", "--from", "2025-03-30"];
    let text = next(&[&["30 2 * * *"], &gap[..]].concat()).expect_code(0).stdout;
    assert!(
        text.contains("03:00:00 ┆ +02:00 ┆ 2025-03-30 01:00:00Z ┆ 02:30:00 skipped │"),
        "{text}"
    );
}

#[test]
fn without_a_zone_times_are_in_utc_once() {
    let text = next(&["0 12 * * *", "--from", "2026-11-27", "--count", "1"]).expect_code(0).stdout;
    assert!(text.contains("│ UTC                     │"), "{text}");
    assert!(text.contains("│ Fri 2026-11-27 12:00:00 │"), "{text}");
}

#[test]
fn an_interval_is_counted_from_the_start_through_a_change_of_the_clock() {
    let options = ["--timezone", "Europe/Berlin", "--from", "2025-10-26", "--count", "4"];
    let text = next(&[&["--every", "90m"], &options[..]].concat()).expect_code(0).stdout;
    assert!(text.starts_with("every 1h 30m\n"), "{text}");
    for row in ["00:00:00 ┆ +02:00", "01:30:00 ┆ +02:00", "02:00:00 ┆ +01:00", "03:30:00 ┆ +01:00"]
    {
        assert!(text.contains(&format!("2025-10-26 {row}")), "{row} in:\n{text}");
    }
}

#[test]
fn mistakes_are_answered_with_what_to_write_instead() {
    for (arguments, problem) in [
        (&["30 2 * *"][..], "`30 2 * *` is not a cron expression"),
        (&["0 0 30 2 *"], "never matches: no such date exists"),
        (&["30", "2", "Cargo.toml"], "put the expression in quotes"),
        (&["30 2 * * *", "--timezone", "Europe/Berlni"], "did you mean `Europe/Berlin`?"),
        (&["30 2 * * *", "--timezone", "home"], "there is no time zone `home`"),
        (&["30 2 * * *", "--from", "noon"], "--from noon is no time; write it as 2026-12-24"),
        (&["hotbay.yaml"], "name the task as well: `hotbay task next hotbay.yaml TASK`"),
        (&["hotbay.yaml", "a/b", "--timezone", "UTC"], "a task of hotbay.yaml has its own"),
        (&["--every", "5"], "expected a duration such as 5m"),
        (&["--every", "0s"], "the shortest interval is 1ms"),
        (&["--every", "5m", "@daily"], "cannot be used with"),
        (&["@daily", "--count", "0"], "--count"),
        (&[], "--every"),
    ] {
        next(arguments).expect_code(2).expect_stderr(&[problem]);
    }
}
