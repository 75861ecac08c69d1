//! Years of each zone, compared with an implementation that shares nothing with the one under
//! test: it looks at each minute of the days around a change of the clock.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{civil::Date, tz};

use super::*;

/// An expression, and the same as a function.
struct Case {
    expression: &'static str,
    kind: JobKind,
    matches: fn(DateTime) -> bool,
}

fn is_sunday(civil: DateTime) -> bool {
    civil.weekday() == jiff::civil::Weekday::Sunday
}

const CASES: [Case; 6] = [
    Case {
        expression: "30 2 * * *",
        kind: JobKind::FixedTime,
        matches: |it| (it.hour(), it.minute()) == (2, 30),
    },
    Case {
        expression: "0 0 * * *",
        kind: JobKind::FixedTime,
        matches: |it| (it.hour(), it.minute()) == (0, 0),
    },
    Case {
        expression: "15,45 0-3,23 * * *",
        kind: JobKind::FixedTime,
        matches: |it| [15, 45].contains(&it.minute()) && [0, 1, 2, 3, 23].contains(&it.hour()),
    },
    Case {
        expression: "*/20 * * * *",
        kind: JobKind::Interval,
        matches: |it| it.minute() % 20 == 0,
    },
    Case {
        expression: "10 */2 * * *",
        kind: JobKind::Interval,
        matches: |it| it.minute() == 10 && it.hour() % 2 == 0,
    },
    Case {
        expression: "*/30 1,2 * * 0",
        kind: JobKind::Interval,
        matches: |it| it.minute() % 30 == 0 && [1, 2].contains(&it.hour()) && is_sunday(it),
    },
];

const FROM: Date = Date::constant(2024, 1, 1);

fn instant(date: Date) -> Timestamp {
    Offset::UTC.to_timestamp(date.into()).unwrap()
}

/// Returns the instants within a span at which runs are due, by looking at each minute.
fn by_minute(case: &Case, zone: &TimeZone, from: Timestamp, to: Timestamp) -> BTreeSet<Timestamp> {
    // What the clock shows in a wider span, so that skipped and repeated times are seen.
    let mut first_shown: BTreeMap<DateTime, Timestamp> = BTreeMap::new();
    let mut found = BTreeSet::new();
    let mut at = from - 48.hours();
    while at < to + 48.hours() {
        let civil = zone.to_datetime(at);
        first_shown.entry(civil).or_insert(at);
        if case.kind == JobKind::Interval && (case.matches)(civil) {
            found.insert(at);
        }
        at += 1.minute();
    }
    if case.kind == JobKind::FixedTime {
        let shown_days: BTreeSet<_> = first_shown.keys().map(|civil| civil.date()).collect();
        let mut civil = *first_shown.keys().next().unwrap();
        let last = *first_shown.keys().last().unwrap();
        while civil < last {
            if (case.matches)(civil) && shown_days.contains(&civil.date()) {
                // The time itself, or, if it is not shown, the next one that is.
                found.insert(*first_shown.range(civil..).next().unwrap().1);
            }
            civil = civil.checked_add(1.minute()).unwrap();
        }
    }
    found.into_iter().filter(|it| from < *it && *it < to).collect()
}

/// Checks one zone for some years. Returns the number of changes of its clock.
fn check(name: &str, years: i16) -> usize {
    let zone = TimeZone::get(name).unwrap();
    let until = Date::new(FROM.year() + years, 1, 1).unwrap();
    let (start, end) = (instant(FROM), instant(until));
    let changes = zone.following(start).map(|it| it.timestamp());
    let changes: Vec<_> = changes.take_while(|it| *it < end).collect();
    if changes.is_empty() {
        return 0;
    }
    for case in &CASES {
        let schedule = CronSchedule::parse(case.expression, name).unwrap();
        for change in &changes {
            let (from, to) = (*change - 30.hours(), *change + 30.hours());
            let mut at = from;
            let mut found = BTreeSet::new();
            while let Some(next) = schedule.next_after(at).filter(|it| *it < to) {
                assert!(next > at, "{name} {}: {next} after {at}", case.expression);
                found.insert(next);
                at = next;
            }
            let expected = by_minute(case, &zone, from, to);
            assert_eq!(found, expected, "{name} {} around {change}", case.expression);
        }
    }
    // A job with one fixed time runs once on each day that the zone has.
    for case in &CASES[..2] {
        let schedule = CronSchedule::parse(case.expression, name).unwrap();
        let mut at = zone.to_timestamp(FROM.into()).unwrap() - 1.second();
        let mut day = FROM;
        while day < until {
            at = schedule.next_after(at).unwrap();
            assert_eq!(zone.to_datetime(at).date(), day, "{name} {}", case.expression);
            day = day.tomorrow().unwrap();
        }
    }
    changes.len()
}

#[test]
fn two_years_of_unusual_zones_agree_with_a_look_at_each_minute() {
    // Half an hour, a quarter past, midnight, two hours, a change back for Ramadan, negative
    // daylight saving time, both sides of the equator.
    for zone in [
        "Australia/Lord_Howe",
        "Pacific/Chatham",
        "America/Havana",
        "Antarctica/Troll",
        "Africa/Casablanca",
        "Europe/Dublin",
        "America/Santiago",
        "America/New_York",
    ] {
        assert!(check(zone, 2) > 0, "{zone}");
    }
}

#[test]
#[ignore = "takes some minutes: cargo test -p hotbay-tasks --lib every_zone -- --ignored"]
fn ten_years_of_every_zone_agree_with_a_look_at_each_minute() {
    let zones: Vec<_> = tz::db().available().map(|it| it.to_string()).collect();
    let changing = zones.iter().filter(|zone| check(zone, 10) > 0).count();
    assert!(changing > 100, "only {changing} of {} zones change their clocks", zones.len());
}
