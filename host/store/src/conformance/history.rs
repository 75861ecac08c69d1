//! Reading what has happened, and removing it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{
    Factory,
    samples::{LONG, attempt_end, created, end, life, open_epoch, requested, second, start, write},
};
use crate::store::{
    Attempt, AttemptEnd, AttemptOutcome, LogLevel, NewRun, Outcome, OutcomeCounts, Record,
    Retention, RunCause, RunCounts, RunDetail, RunEnd, RunId, RunQuery, RunRecord, RunState,
    RunStatus, Store,
};

fn log(run: u64, message: &str) -> Record {
    let message = message.to_owned();
    Record::Log { run: RunId(run), at: second(5), level: LogLevel::Warn, message }
}

pub(super) fn a_run_has_all_that_was_said_of_it(factory: &dyn Factory) {
    let store = factory.open();
    let epoch = open_epoch(&*store);
    let new = NewRun {
        run: RunId(7),
        task: "p/a".into(),
        cause: RunCause::MadeUp(second(-5)),
        key: Some("key".into()),
        since: second(-1),
        priority: -100,
        arguments: Some("{}".to_owned()),
        state: RunState::Delayed(second(9)),
    };
    write(&*store, epoch, [Record::Created(Box::new(new.clone()))]);
    let live = store.live_runs().expect("read").remove(0);
    assert_eq!(live.status, RunStatus::Live(RunState::Delayed(second(9))));
    let ended = RunEnd {
        at: second(4),
        outcome: Outcome::TimedOut,
        reason: Some("too long".to_owned()),
        by: Some(RunId(3)),
        result: Some("[1]".to_owned()),
    };
    let RunEnd { at, outcome, reason, by, result } = ended.clone();
    write(
        &*store,
        epoch,
        [
            start(7, 1),
            attempt_end(7, 1, AttemptOutcome::Failed),
            Record::Started { run: RunId(7), attempt: 2, at: second(3), build: "build".into() },
            attempt_end(7, 2, AttemptOutcome::Stopped),
            Record::Ended { run: RunId(7), at, outcome, reason, by, result },
        ],
    );
    let attempt = |attempt, at, outcome| Attempt {
        attempt,
        epoch,
        at: second(at),
        build: Arc::from("build"),
        end: Some(AttemptEnd { at: second(2), outcome, error: Some(format!("attempt {attempt}")) }),
    };
    let attempts =
        vec![attempt(1, 1, AttemptOutcome::Failed), attempt(2, 3, AttemptOutcome::Stopped)];
    let NewRun { run, task, cause, key, since, priority, arguments, .. } = new;
    let run = RunRecord {
        run,
        task,
        cause,
        key,
        since,
        priority,
        arguments,
        status: RunStatus::Ended(ended),
        counts: RunCounts { attempts: 2, ..RunCounts::default() },
        attempt: attempts.last().cloned(),
        began: Some(second(1)),
    };
    assert_eq!(store.run(RunId(7)), Ok(Some(RunDetail { run, attempts })));
}

fn read_pages(store: &dyn Store, query: &RunQuery) -> Vec<u64> {
    let (mut query, mut found) = (query.clone(), Vec::new());
    loop {
        let page = store.runs(&query).expect("read");
        assert!(page.items.len() <= query.limit);
        found.extend(page.items.iter().map(|run| run.run.0));
        match page.next {
            Some(next) => query.before = Some(next),
            None => return found,
        }
    }
}

pub(super) fn pages_hold_every_run_once(factory: &dyn Factory) {
    let store = factory.open();
    let epoch = open_epoch(&*store);
    for run in 1..=30 {
        let task = if run % 3 == 0 { "p/a" } else { "p/b" };
        write(&*store, epoch, [requested(run, task)]);
        match run % 5 {
            0 => drop(write(&*store, epoch, [end(run, Outcome::Cancelled)])),
            1 => drop(write(&*store, epoch, [end(run, Outcome::Succeeded)])),
            _ => {}
        }
    }
    let expected = |wanted: fn(u64) -> bool| (1..=30).rev().filter(|run| wanted(*run)).collect();
    let cases: [(Option<&str>, Option<Outcome>, Vec<u64>); 6] = [
        (None, None, expected(|_| true)),
        (Some("p/a"), None, expected(|run| run % 3 == 0)),
        (None, Some(Outcome::Cancelled), expected(|run| run % 5 == 0)),
        (None, Some(Outcome::Succeeded), expected(|run| run % 5 == 1)),
        (Some("p/a"), Some(Outcome::Cancelled), expected(|run| run % 15 == 0)),
        (Some("p/none"), None, Vec::new()),
    ];
    for (task, outcome, expected) in cases {
        for limit in [1, 7, 10, 100] {
            let query = RunQuery { task: task.map(Arc::from), outcome, before: None, limit };
            assert_eq!(read_pages(&*store, &query), expected, "{query:?}");
        }
    }
}

pub(super) fn counts_are_those_of_the_runs(factory: &dyn Factory) {
    let store = factory.open();
    let epoch = open_epoch(&*store);
    for run in 1..=4 {
        write(&*store, epoch, life(run, "p/a"));
    }
    let missed = |count| Record::Missed {
        task: "p/a".into(),
        at: second(0),
        count,
        is_counted: true,
        first: second(-9),
        last: second(-1),
    };
    write(
        &*store,
        epoch,
        [requested(5, "p/a"), end(5, Outcome::Skipped), missed(3), missed(4), requested(6, "p/a")],
    );
    let counts = store.task("p/a").expect("read").expect("it is known").counts;
    let expected = OutcomeCounts { succeeded: 4, skipped: 1, missed: 7, ..Default::default() };
    assert_eq!(counts, expected);
    let missed: Vec<_> = store.missed("p/a", 9).expect("read").iter().map(|it| it.count).collect();
    assert_eq!(missed, [4, 3]);
    let stats = store.stats().expect("read");
    assert_eq!((stats.runs, stats.live_runs, stats.log_lines), (6, 1, 0));
}

pub(super) fn what_is_kept_is_kept(factory: &dyn Factory) {
    let store = factory.open();
    let epoch = open_epoch(&*store);
    // The oldest run of all has not ended. The ends are of the future as seen from 2026, so that
    // an age of none keeps them; those of the rare task are of the past.
    write(&*store, epoch, [requested(1, "p/often")]);
    for run in 2..=41 {
        write(&*store, epoch, life(run, "p/often").into_iter().chain([log(run, "one")]));
    }
    let past = |run| Record::Ended {
        run: RunId(run),
        at: second(-1_000_000_000),
        outcome: Outcome::Failed,
        reason: None,
        by: None,
        result: None,
    };
    for run in 42..=51 {
        let failed = attempt_end(run, 1, AttemptOutcome::Failed);
        let again = attempt_end(run, 2, AttemptOutcome::Failed);
        let records = [start(run, 1), failed, start(run, 2), again, past(run), log(run, "two")];
        write(&*store, epoch, [requested(run, "p/rare")].into_iter().chain(records));
    }
    let keep = Retention {
        max_age: Some(Duration::from_secs(3_600)),
        max_runs_per_task: Some(25),
        keep_at_least: 3,
    };
    let mut removed = 0;
    loop {
        let pruned = store.prune(epoch, &keep, 4).expect("prune");
        assert!(pruned.runs <= 4, "{pruned:?}");
        removed += pruned.runs;
        if !pruned.has_more {
            break;
        }
    }
    assert_eq!(removed, 15 + 7);
    let of = |task: &str| {
        let query = RunQuery { task: Some(task.into()), limit: 100, ..RunQuery::default() };
        read_pages(&*store, &query).into_iter().collect::<BTreeSet<_>>()
    };
    assert_eq!(of("p/often"), [1].into_iter().chain(17..=41).collect());
    assert_eq!(of("p/rare"), (49..=51).collect());
    assert_eq!(store.log(RunId(2), 0, 9), Ok(Vec::new()));
    let stats = store.stats().expect("read");
    assert_eq!((stats.runs, stats.live_runs, stats.log_lines), (29, 1, 28));
    // The counts are of all that ever was.
    let counts = store.task("p/rare").expect("read").expect("it is known").counts;
    assert_eq!(counts.failed, 10);
    assert_eq!(store.next_run_id(), Ok(RunId(52)));
    assert_eq!(store.prune(epoch, &keep, 4).map(|it| it.runs), Ok(0));
}

pub(super) fn a_log_is_read_from_any_line(factory: &dyn Factory) {
    let store = factory.open();
    let epoch = open_epoch(&*store);
    write(&*store, epoch, [requested(1, "p/a"), requested(2, "p/a")]);
    for line in ["one", "two", "three", "four"] {
        write(&*store, epoch, [log(1, line), log(2, "other")]);
    }
    write(&*store, epoch, [end(1, Outcome::Cancelled), log(1, "five")]);
    let read = |after, limit| -> Vec<_> {
        let lines = store.log(RunId(1), after, limit).expect("read");
        lines.into_iter().map(|line| (line.number, line.message)).collect()
    };
    let lines = ["one", "two", "three", "four", "five"].map(str::to_owned);
    let expected: Vec<_> = (1..).zip(lines).collect();
    assert_eq!(read(0, 9), expected);
    assert_eq!(read(1, 2), expected[1..3]);
    assert_eq!(read(5, 9), []);
    let line = store.log(RunId(1), 0, 1).expect("read").remove(0);
    assert_eq!((line.at, line.level), (second(5), LogLevel::Warn));
}

pub(super) fn all_is_there_after_reopening(factory: &dyn Factory) {
    let store = factory.open();
    let epoch = store.open_epoch(&super::samples::host(1), LONG).expect("nobody is in charge");
    write(&*store, epoch, life(1, "p/a"));
    write(&*store, epoch, [created(2, "p/b", RunCause::Time(second(0))), start(2, 1), log(2, "l")]);
    let read = |store: &dyn Store| {
        let query = RunQuery { limit: 9, ..RunQuery::default() };
        (store.runs(&query), store.tasks(), store.run(RunId(2)), store.log(RunId(2), 0, 9))
    };
    let before = read(&*store);
    store.close_epoch(epoch).expect("close");
    drop(store);
    let store = factory.open();
    assert_eq!(read(&*store), before);
    let epoch = open_epoch(&*store);
    let written = write(&*store, epoch, [created(3, "p/b", RunCause::Time(second(0)))]);
    assert_eq!(written.duplicates, [RunId(3)]);
    assert_eq!(store.next_run_id(), Ok(RunId(3)));
    assert!(store.check().expect("check").faults.is_empty());
}
