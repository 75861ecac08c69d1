use super::*;

mod years;

/// Returns the next runs of an expression, as instants of its zone.
fn next(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = CronSchedule::parse(expression, zone).unwrap();
    let mut at: Timestamp = after.parse().unwrap();
    let mut found = Vec::new();
    while found.len() < count {
        let Some(instant) = schedule.next_after(at) else { break };
        assert!(instant > at, "{instant} after {at}");
        found.push(instant.to_zoned(schedule.zone.clone()).strftime("%F %H:%M:%S %z").to_string());
        at = instant;
    }
    found
}

#[test]
fn a_time_that_the_clock_skips_is_run_once_after_the_skipped_range() {
    let berlin = |expression| next(expression, "Europe/Berlin", "2026-03-28T12:00:00Z", 2);
    assert_eq!(berlin("30 2 * * *"), ["2026-03-29 03:00:00 +0200", "2026-03-30 02:30:00 +0200"]);
    // Times that meet at the end of the range are one run; a list is fixed-time too.
    let list = next("0,20,40 2,14 * * *", "Europe/Berlin", "2026-03-28T20:00:00Z", 2);
    assert_eq!(list, ["2026-03-29 03:00:00 +0200", "2026-03-29 14:00:00 +0200"]);
    // The hour before the range is not run again after it.
    assert_eq!(berlin("30 1 * * *"), ["2026-03-29 01:30:00 +0100", "2026-03-30 01:30:00 +0200"]);
    // Lord Howe skips half an hour.
    let howe = next("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00+10:30", 1);
    assert_eq!(howe, ["2026-10-04 02:30:00 +1100"]);
}

#[test]
fn a_run_in_place_of_a_skipped_time_knows_which_one_that_was() {
    let moved = |expression, zone, due: &str| {
        let schedule = CronSchedule::parse(expression, zone).unwrap();
        schedule.moved_from(due.parse().unwrap()).map(|it| it.to_string())
    };
    let berlin = |expression| moved(expression, "Europe/Berlin", "2026-03-29T01:00:00Z");
    assert_eq!(berlin("30 2 * * *").as_deref(), Some("2026-03-29T02:30:00"));
    assert_eq!(berlin("0 2,3 * * *"), None);
    assert_eq!(moved("30 2 * * *", "Europe/Berlin", "2026-03-30T00:30:00Z"), None);
    let midnight = moved("0 0 * * *", "Africa/Cairo", "2025-04-24T22:00:00Z");
    assert_eq!(midnight.as_deref(), Some("2025-04-25T00:00:00"));
}

#[test]
fn a_day_that_the_clock_skips_has_no_run() {
    // Samoa went from the 29th to the 31st of December 2011.
    let apia = next("0 9 * * *", "Pacific/Apia", "2011-12-29T00:00:00-10:00", 2);
    assert_eq!(apia, ["2011-12-29 09:00:00 -1000", "2011-12-31 09:00:00 +1400"]);
    let apia = next("0 */12 * * *", "Pacific/Apia", "2011-12-29T06:00:00-10:00", 2);
    assert_eq!(apia, ["2011-12-29 12:00:00 -1000", "2011-12-31 00:00:00 +1400"]);
}

#[test]
fn a_time_that_the_clock_shows_twice_is_run_when_it_is_shown_first() {
    let berlin = |after| next("30 2 * * *", "Europe/Berlin", after, 1);
    assert_eq!(berlin("2026-10-24T12:00:00Z"), ["2026-10-25 02:30:00 +0200"]);
    for between_and_within in ["2026-10-25T02:45:00+02:00", "2026-10-25T02:10:00+01:00"] {
        assert_eq!(berlin(between_and_within), ["2026-10-26 02:30:00 +0100"]);
    }
}

#[test]
fn an_interval_follows_the_clock_through_both_passes_and_over_the_skipped_range() {
    let berlin = |expression, after| next(expression, "Europe/Berlin", after, 3);
    assert_eq!(
        berlin("*/40 * * * *", "2026-10-25T02:30:00+02:00"),
        ["2026-10-25 02:40:00 +0200", "2026-10-25 02:00:00 +0100", "2026-10-25 02:40:00 +0100"]
    );
    assert_eq!(
        berlin("*/15 2 * * *", "2026-03-28T12:00:00Z"),
        ["2026-03-30 02:00:00 +0200", "2026-03-30 02:15:00 +0200", "2026-03-30 02:30:00 +0200"]
    );
    // A time within the second pass is found, although its first pass is long over.
    let rare = next("10 2 25 10 *", "Europe/Berlin", "2026-10-25T02:30:00+02:00", 1);
    assert_eq!(rare, ["2027-10-25 02:10:00 +0200"]);
    let rare = next("10 * 25 10 *", "Europe/Berlin", "2026-10-25T02:30:00+02:00", 1);
    assert_eq!(rare, ["2026-10-25 02:10:00 +0100"]);
}

#[test]
fn a_rare_date_is_found_however_far_it_is() {
    let next = |expression, zone, after| next(expression, zone, after, 1);
    assert_eq!(next("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z"), ["2104-02-29 00:00:00 +0000"]);
    assert_eq!(
        next("0 0 */6 1 7 * 4800", "Europe/Paris", "2026-01-01T00:00:00Z"),
        ["4800-07-01 00:00:00 +0200"]
    );
    assert!(next("0 0 0 1 1 * 2020", "UTC", "2026-01-01T00:00:00Z").is_empty());
}

#[test]
fn fields_names_and_nicknames_mean_what_operators_expect() {
    let first = |expression| next(expression, "UTC", "2026-01-01T00:00:00.5Z", 1).remove(0);
    for (expression, expected) in [
        ("*/20 * * * * *", "2026-01-01 00:00:20 +0000"),
        ("0 0 * * 7", "2026-01-04 00:00:00 +0000"),
        ("0 0 * * sun", "2026-01-04 00:00:00 +0000"),
        ("0 0 ? FEB MON-wed", "2026-02-02 00:00:00 +0000"),
        ("0 0 L * *", "2026-01-31 00:00:00 +0000"),
        ("0 0 LW * *", "2026-01-30 00:00:00 +0000"),
        ("0 0 1W 2 *", "2026-02-02 00:00:00 +0000"),
        ("0 0 * * 5#3", "2026-01-16 00:00:00 +0000"),
        ("0 0 * * 5L", "2026-01-30 00:00:00 +0000"),
        ("0 0 13 * 5", "2026-01-02 00:00:00 +0000"),
        ("0 0 13 * +5", "2026-02-13 00:00:00 +0000"),
        ("@yearly", "2027-01-01 00:00:00 +0000"),
        ("@monthly", "2026-02-01 00:00:00 +0000"),
        ("@weekly", "2026-01-04 00:00:00 +0000"),
        ("@daily", "2026-01-02 00:00:00 +0000"),
        (" @Midnight ", "2026-01-02 00:00:00 +0000"),
        ("@hourly", "2026-01-01 01:00:00 +0000"),
    ] {
        assert_eq!(first(expression), expected, "{expression}");
    }
}

#[test]
fn what_can_never_run_is_refused_with_the_reason() {
    let refusal = |expression, zone| CronSchedule::parse(expression, zone).unwrap_err().to_string();
    for never in ["0 0 30 2 *", "0 0 31 4,6 *", "0 0 0 30 2 * *", "0 0 0 29 2 * 2100"] {
        assert!(refusal(never, "UTC").contains("no such date"), "{never}");
    }
    for broken in ["", "* * * *", "60 * * * *", "*/0 * * * *", "0 0 * * MOND", "@every 5m"] {
        let refusal = refusal(broken, "UTC");
        assert!(refusal.contains("write five fields"), "{refusal}");
    }
    assert!(refusal("0 0 * * *", "Europe/Pairs").contains("`Europe/Pairs`"));
}

#[test]
fn a_leap_day_on_any_weekday_and_a_year_that_is_past_are_accepted() {
    for weekday in 0..7 {
        CronSchedule::parse(&format!("0 0 29 2 +{weekday}"), "UTC").unwrap();
        CronSchedule::parse(&format!("0 0 0 29 2 +{weekday} *"), "UTC").unwrap();
    }
    CronSchedule::parse("0 0 0 29 2 * 2024", "UTC").unwrap();
}

#[test]
#[ignore = "needs the recorded cases, in the folder that HOTBAY_CAPTURES names"]
fn the_cases_on_which_other_schedulers_agree_come_out() {
    let folder = std::env::var("HOTBAY_CAPTURES").expect("HOTBAY_CAPTURES names the folder");
    let text = std::fs::read_to_string(format!("{folder}/cron_cases.json")).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert!(!cases.is_empty());
    for case in &cases {
        let text = |name: &str| case[name].as_str().unwrap();
        let schedule = CronSchedule::parse(text("expr"), text("tz")).unwrap();
        let mut after: Timestamp = text("after").parse().unwrap();
        for expected in case["expected"].as_array().unwrap() {
            let expected: Timestamp = expected.as_str().unwrap().parse().unwrap();
            assert_eq!(schedule.next_after(after), Some(expected), "{case}");
            after = expected;
        }
    }
}
