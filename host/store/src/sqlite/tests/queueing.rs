//! What is queued.

use std::{
    sync::mpsc::{self, Receiver, Sender},
    time::Instant,
};

use super::*;
use crate::{
    sqlite::queue::{Job, LastGroup},
    store::{Edge, TaskChange},
};

/// Holds up the writer until the sender is dropped.
fn hold(store: &SqliteStore) -> Sender<()> {
    let (release, held): (_, Receiver<()>) = mpsc::channel();
    let (at, arrived) = mpsc::channel();
    store.queue.call(move |_| {
        at.send(()).unwrap();
        // It ends when the sender is dropped.
        held.recv().unwrap_err();
    });
    arrived.recv().unwrap();
    release
}

#[test]
fn a_queue_that_is_full_refuses_at_once_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, epoch) = open(folder.path());
    create(&store, epoch, 1).unwrap();
    let release = hold(&store);
    let (send, told) = mpsc::channel();
    let write = |number: u64| {
        let send = send.clone();
        let done = move |result: Result<_, _>| send.send((number, result.map(drop))).unwrap();
        store.write(epoch, batch([log(1, "x".repeat(1 << 20))]), Box::new(done));
    };
    (1..=70).for_each(write);
    // Those that are refused are told so while the writer is held up.
    let refused: Vec<_> = told.try_iter().collect();
    assert_eq!(refused, (64..=70).map(|it| (it, Err(StoreError::Busy))).collect::<Vec<_>>());
    let stats = store.stats().unwrap();
    assert_eq!(stats.queued_batches, 63);
    assert!(stats.lag > Duration::ZERO);
    drop(release);
    let written: Vec<_> = told.iter().take(63).collect();
    assert_eq!(written, (1..=63).map(|it| (it, Ok(()))).collect::<Vec<_>>());
    assert_eq!(store.stats().unwrap().log_lines, 63);
}

#[test]
fn what_is_known_of_dependencies_counts_as_what_is_queued() {
    let queue = Queue::default();
    let push = || {
        let failure = Some("x".repeat(40 << 20));
        let (upstream, latest) = ("p/b".into(), Some((RunId(1), failure)));
        let change = TaskChange::Edges(vec![Edge { upstream, consumed: None, latest }]);
        let record = Record::Task { task: "p/a".into(), change };
        queue.push(Epoch(1), batch([record]), Box::new(drop)).map_err(|it| it.reason)
    };
    assert_eq!(push(), Ok(()));
    assert_eq!(push(), Err(StoreError::Busy));
}

#[test]
fn dropping_a_store_writes_what_is_queued() {
    let folder = tempfile::tempdir().unwrap();
    let (store, epoch) = open(folder.path());
    let (send, told) = mpsc::channel();
    for run in 1..=100 {
        let send = send.clone();
        let done = move |result: Result<_, _>| send.send(result.is_ok()).unwrap();
        store.write(epoch, batch([requested(run, "p/a")]), Box::new(done));
    }
    drop(store);
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [true; 100]);
    let (store, _) = open(folder.path());
    assert_eq!(live(&store).len(), 100);
}

#[test]
fn a_panic_of_one_who_is_told_harms_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let (store, epoch) = open(folder.path());
    store.write(epoch, batch([requested(1, "p/a")]), Box::new(|_| panic!("on purpose")));
    create(&store, epoch, 2).unwrap();
    assert_eq!(live(&store), [1, 2]);
}

#[test]
fn a_writer_that_has_ended_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let (store, epoch) = open(folder.path());
    let release = hold(&store);
    store.queue.call(|_| panic!("on purpose"));
    let (send, told) = mpsc::channel();
    let queued = {
        let send = send.clone();
        move |result: Result<_, _>| send.send(result.map(drop)).unwrap()
    };
    store.write(epoch, batch([requested(1, "p/a")]), Box::new(queued));
    drop(release);
    assert_eq!(told.recv().unwrap(), Err(StoreError::Closed));
    assert_eq!(create(&store, epoch, 2), Err(StoreError::Closed));
    assert_eq!(store.heartbeat(epoch, Duration::ZERO), Err(StoreError::Closed));
    assert!(matches!(store.health(), Health::Failing { .. }));
}

#[test]
fn the_last_handle_may_be_dropped_by_one_who_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (store, epoch) = open(folder.path());
    let store = Arc::new(store);
    let release = hold(&store);
    let last = Arc::clone(&store);
    let (send, told) = mpsc::channel();
    let done = move |_| {
        drop(last);
        send.send(()).unwrap();
    };
    store.write(epoch, batch([requested(1, "p/a")]), Box::new(done));
    drop(store);
    drop(release);
    told.recv_timeout(Duration::from_secs(60)).unwrap();
}

#[test]
fn a_batch_waits_for_others_for_a_moment_only() {
    let queue = Queue::default();
    assert!(queue.push(Epoch(1), batch([]), Box::new(drop)).is_ok());
    let begin = Instant::now();
    // The last group was large, and took long.
    let last = LastGroup { batches: 100, taken: Duration::from_secs(3_600) };
    let Job::Group(group) = queue.next(last) else { panic!("it is a batch") };
    assert_eq!(group.len(), 1);
    assert!(begin.elapsed() < Duration::from_secs(60));
}
