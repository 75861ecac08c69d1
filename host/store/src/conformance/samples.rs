//! Records to write.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::store::{
    AttemptOutcome, Batch, Durability, Epoch, HostInfo, NewRun, Outcome, Record, RunCause, RunId,
    RunState, Store, Written,
};

/// A lease that does not run out during a check.
pub(super) const LONG: Duration = Duration::from_secs(600);

/// Returns a time, this many seconds after some moment.
pub(super) fn second(number: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + number).unwrap_or(Timestamp::MAX)
}

/// Returns a host.
pub(super) fn host(process: u32) -> HostInfo {
    HostInfo { machine: "machine".to_owned(), boot: "boot".to_owned(), process }
}

/// Opens an epoch with a lease that does not run out.
pub(super) fn open_epoch(store: &dyn Store) -> Epoch {
    store.open_epoch(&host(1), LONG).expect("nobody is in charge")
}

/// Writes records to the disk, all of which must apply.
pub(super) fn write(
    store: &dyn Store,
    epoch: Epoch,
    records: impl IntoIterator<Item = Record>,
) -> Written {
    let records = records.into_iter().collect();
    let batch = Batch { records, durability: Durability::Fsync };
    store.write_and_wait(epoch, batch).expect("the records apply")
}

/// The creation of a run.
pub fn created(run: u64, task: &str, cause: RunCause) -> Record {
    Record::Created(Box::new(NewRun {
        run: RunId(run),
        task: task.into(),
        cause,
        key: None,
        since: second(0),
        priority: 0,
        arguments: None,
        state: RunState::Queued,
    }))
}

/// The creation of a run that was requested.
pub fn requested(run: u64, task: &str) -> Record {
    created(run, task, RunCause::Request(run))
}

/// The state of a run that waits for a place.
pub fn queued(run: u64) -> Record {
    let (state, counts) = (RunState::Queued, Default::default());
    Record::State { run: RunId(run), state, counts }
}

/// The start of an attempt.
pub fn start(run: u64, attempt: u32) -> Record {
    Record::Started { run: RunId(run), attempt, at: second(1), build: Arc::from("build") }
}

/// The end of an attempt.
pub(super) fn attempt_end(run: u64, attempt: u32, outcome: AttemptOutcome) -> Record {
    let error = (outcome != AttemptOutcome::Succeeded).then(|| format!("attempt {attempt}"));
    Record::AttemptEnded { run: RunId(run), attempt, at: second(2), outcome, error }
}

/// The end of a run.
pub fn end(run: u64, outcome: Outcome) -> Record {
    Record::Ended {
        run: RunId(run),
        at: second(3),
        outcome,
        reason: (outcome != Outcome::Succeeded).then(|| "it is so".to_owned()),
        by: None,
        result: None,
    }
}

/// All that happens to a run of one attempt, which succeeds.
pub(super) fn life(run: u64, task: &str) -> [Record; 4] {
    [
        requested(run, task),
        start(run, 1),
        attempt_end(run, 1, AttemptOutcome::Succeeded),
        end(run, Outcome::Succeeded),
    ]
}
