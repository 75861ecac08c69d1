//! Writing.

use std::sync::{Arc, mpsc};

use super::{
    Factory,
    samples::{created, end, open_epoch, requested, second, start, write},
};
use crate::store::{
    Batch, Conflict, Durability, Edge, Outcome, Record, RunCause, RunId, Skip, StoreError,
    TaskChange, TaskRecord,
};

pub(super) fn a_nominal_time_has_one_run(factory: &dyn Factory) {
    let store = factory.open();
    let epoch = open_epoch(&*store);
    let at = second(60);
    let written = write(&*store, epoch, [created(1, "p/a", RunCause::Time(at))]);
    assert_eq!(written.duplicates, []);
    // The later records about the duplicate don't apply, and those about others do.
    let skip = |run, cause| {
        let (task, reason) = ("p/a".into(), "overlap".to_owned());
        let by = Some(RunId(1));
        Record::Skipped(Box::new(Skip { run: RunId(run), task, cause, at, reason, by, count: 1 }))
    };
    let records = [
        created(2, "p/a", RunCause::MadeUp(at)),
        start(2, 1),
        end(2, Outcome::Cancelled),
        skip(3, RunCause::Time(at)),
        created(4, "p/b", RunCause::Time(at)),
        created(5, "p/a", RunCause::Time(second(120))),
        skip(6, RunCause::Time(second(180))),
        created(7, "p/a", RunCause::Time(second(180))),
    ];
    let written = write(&*store, epoch, records);
    assert_eq!(written.duplicates, [2, 3, 7].map(RunId));
    let live: Vec<_> = store.live_runs().expect("read").iter().map(|run| run.run.0).collect();
    assert_eq!(live, [1, 4, 5]);
    assert_eq!(store.run(RunId(2)), Ok(None));
    assert_eq!(store.next_run_id(), Ok(RunId(7)));
    // Also after the run has ended.
    write(&*store, epoch, [end(1, Outcome::Cancelled)]);
    let written = write(&*store, epoch, [created(8, "p/a", RunCause::Time(at))]);
    assert_eq!(written.duplicates, [RunId(8)]);
}

pub(super) fn an_event_is_a_cause(factory: &dyn Factory) {
    let store = factory.open();
    let epoch = open_epoch(&*store);
    let (task, at, reason) = (Arc::from("p/a"), second(5), "overlap".to_owned());
    let cause = |request| RunCause::Event { request, channel: "fills".into() };
    let (run, cause_of_all, by) = (RunId(2), cause(0), Some(RunId(1)));
    let skip = Skip { run, task, cause: cause_of_all, at, reason, by, count: 41 };
    write(
        &*store,
        epoch,
        [created(1, "p/a", cause(7)), Record::Skipped(Box::new(skip)), created(3, "p/a", cause(8))],
    );
    let cause_of = |run| store.run(RunId(run)).expect("read").expect("it is known").run.cause;
    assert_eq!([1, 2, 3].map(cause_of), [7, 0, 8].map(cause));
    // One record counts for all that it is about.
    let counts = store.task("p/a").expect("read").expect("it is known").counts;
    assert_eq!(counts.skipped, 41);
}

pub(super) fn a_clock_that_is_set_back(factory: &dyn Factory) {
    let store = factory.open();
    let epoch = open_epoch(&*store);
    let at = |minute: i64| RunCause::Time(second(minute * 60));
    let cursor = |task: &str, change| Record::Task { task: task.into(), change };
    write(
        &*store,
        epoch,
        [
            created(1, "p/a", at(1)),
            created(2, "p/a", at(2)),
            created(3, "p/a", RunCause::MadeUp(second(180))),
            created(4, "p/b", at(2)),
            end(3, Outcome::Cancelled),
            cursor("p/a", TaskChange::Cursor(second(180))),
        ],
    );
    // A cursor that moves back alone does not let them come again.
    let back = cursor("p/a", TaskChange::Cursor(second(60)));
    let written = write(&*store, epoch, [back, created(5, "p/a", at(2))]);
    assert_eq!(written.duplicates, [RunId(5)]);
    for first in [10, 20] {
        let reset = cursor("p/a", TaskChange::Reset(second(60)));
        let [a, b, c, d] = [first, first + 1, first + 2, first + 3];
        let again = [created(b, "p/a", at(2)), created(c, "p/a", at(3)), created(d, "p/b", at(2))];
        let records = [reset, created(a, "p/a", at(1))].into_iter().chain(again);
        let written = write(&*store, epoch, records);
        // The times up to the cursor, and those of other tasks, are dealt with.
        assert_eq!(written.duplicates, [a, d].map(RunId));
        let written = write(&*store, epoch, [created(first + 4, "p/a", at(3))]);
        assert_eq!(written.duplicates, [RunId(first + 4)], "a time that came again has one run");
    }
    let task = store.task("p/a").expect("read").expect("it is known");
    assert_eq!(task.cursor, Some(second(60)));
    // Those that took place before are what they were.
    let run = store.run(RunId(3)).expect("read").expect("it is known").run;
    assert_eq!(run.cause, RunCause::MadeUp(second(180)));
    let live: Vec<_> = store.live_runs().expect("read").iter().map(|run| run.run.0).collect();
    assert_eq!(live, [1, 2, 4, 11, 12, 21, 22]);
}

pub(super) fn an_error_of_one_batch_leaves_others(factory: &dyn Factory) {
    let store = factory.open();
    let epoch = open_epoch(&*store);
    let (send, results) = mpsc::channel();
    let write = |records: Vec<Record>| {
        let send = send.clone();
        let batch = Batch { records, durability: Durability::Fsync };
        store.write(epoch, batch, Box::new(move |result| drop(send.send(result.map(drop)))));
    };
    write(vec![requested(1, "p/a")]);
    // Neither the task nor the run stays.
    write(vec![requested(2, "p/new"), end(9, Outcome::Failed)]);
    write(vec![requested(3, "p/new")]);
    write(vec![requested(4, "p/a"), requested(1, "p/a")]);
    write(vec![end(1, Outcome::Cancelled)]);
    let conflict = |conflict| Err(StoreError::Conflict(conflict));
    let expected = [
        Ok(()),
        conflict(Conflict::NoSuchRun(RunId(9))),
        Ok(()),
        conflict(Conflict::RunExists(RunId(1))),
        Ok(()),
    ];
    assert_eq!(results.iter().take(5).collect::<Vec<_>>(), expected);
    let live: Vec<_> = store.live_runs().expect("read").iter().map(|run| run.run.0).collect();
    assert_eq!(live, [3]);
    let stats = store.stats().expect("read");
    assert_eq!((stats.runs, stats.live_runs), (2, 1));
}

pub(super) fn batches_are_told_in_order(factory: &dyn Factory) {
    let store = factory.open();
    let epoch = open_epoch(&*store);
    let (send, told) = mpsc::channel();
    for run in 1..=500 {
        let send = send.clone();
        let durability = if run % 3 == 0 { Durability::Fsync } else { Durability::Async };
        let batch = Batch { records: vec![requested(run, "p/a")], durability };
        let done = move |result: Result<_, _>| send.send((run, result.is_ok())).unwrap_or(());
        store.write(epoch, batch, Box::new(done));
    }
    drop(send);
    let told: Vec<_> = told.iter().collect();
    assert_eq!(told, (1..=500).map(|run| (run, true)).collect::<Vec<_>>());
    assert_eq!(store.live_runs().expect("read").len(), 500);
}

pub(super) fn a_task_is_known_as_it_was_stored(factory: &dyn Factory) {
    let store = factory.open();
    let epoch = open_epoch(&*store);
    assert_eq!(store.task("p/a"), Ok(None));
    let edge =
        |upstream: &str, consumed, latest| Edge { upstream: upstream.into(), consumed, latest };
    let edges = vec![
        edge("p/b", Some(RunId(3)), Some((RunId(4), Some("failed: no".to_owned())))),
        edge("q/c", None, Some((RunId(5), None))),
        edge("q/d", None, None),
    ];
    let change = |change| Record::Task { task: "p/a".into(), change };
    let text = "every 5m".to_owned();
    let schedule = TaskChange::Schedule { text, anchor: Some(second(0)) };
    write(
        &*store,
        epoch,
        [
            change(schedule),
            change(TaskChange::Cursor(second(300))),
            change(TaskChange::Paused(true)),
            change(TaskChange::Enabled(Some(false))),
            change(TaskChange::Edges(edges.clone())),
            change(TaskChange::Cursor(second(600))),
        ],
    );
    let expected = TaskRecord {
        task: "p/a".into(),
        schedule: Some("every 5m".to_owned()),
        anchor: Some(second(0)),
        cursor: Some(second(600)),
        paused: true,
        enabled: Some(false),
        edges,
        ..TaskRecord::default()
    };
    assert_eq!(store.task("p/a"), Ok(Some(expected.clone())));
    assert_eq!(store.tasks(), Ok(vec![expected.clone()]));
    write(
        &*store,
        epoch,
        [
            change(TaskChange::Edges(expected.edges[1..2].to_vec())),
            change(TaskChange::Paused(false)),
            change(TaskChange::Enabled(None)),
        ],
    );
    let task = store.task("p/a").expect("read").expect("it is known");
    assert_eq!(
        (task.edges.as_slice(), task.paused, task.enabled),
        (&expected.edges[1..2], false, None)
    );
}
