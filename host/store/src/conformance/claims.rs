//! Claiming and ending runs.

use super::{
    Factory,
    samples::{attempt_end, end, open_epoch, queued, requested, start, write},
};
use crate::store::{
    AttemptOutcome, Batch, Conflict, Durability, Outcome, Record, RunCounts, RunId, RunState,
    RunStatus, StopReason, Store, StoreError,
};

fn refused(store: &dyn Store, epoch: crate::store::Epoch, records: Vec<Record>) -> Conflict {
    let batch = Batch { records, durability: Durability::Async };
    match store.write_and_wait(epoch, batch) {
        Err(StoreError::Conflict(conflict)) => conflict,
        other => panic!("{other:?}"),
    }
}

pub(super) fn a_run_is_claimed_once(factory: &dyn Factory) {
    let store = factory.open();
    let epoch = open_epoch(&*store);
    write(&*store, epoch, [requested(1, "p/a"), start(1, 1)]);
    let refused = |records| refused(&*store, epoch, records);
    assert_eq!(refused(vec![start(1, 1)]), Conflict::UnderWay(RunId(1)));
    assert_eq!(refused(vec![start(1, 2)]), Conflict::UnderWay(RunId(1)));
    assert_eq!(refused(vec![start(2, 1)]), Conflict::NoSuchRun(RunId(2)));
    // The state alone ends no attempt.
    assert_eq!(refused(vec![queued(1), start(1, 2)]), Conflict::UnderWay(RunId(1)));
    let failed = attempt_end(1, 1, AttemptOutcome::Failed);
    write(&*store, epoch, [failed.clone(), start(1, 2)]);
    let not_under_way = Conflict::NotUnderWay { run: RunId(1), attempt: 1 };
    assert_eq!(refused(vec![failed]), not_under_way);
}

pub(super) fn a_run_of_an_older_epoch(factory: &dyn Factory) {
    let store = factory.open();
    let older = open_epoch(&*store);
    write(&*store, older, [requested(1, "p/a"), start(1, 1), requested(2, "p/a")]);
    let newer = open_epoch(&*store);
    let live = store.live_runs().expect("read");
    let epochs: Vec<_> = live.iter().map(|run| run.attempt.as_ref().map(|it| it.epoch)).collect();
    assert_eq!(epochs, [Some(older), None]);
    assert_eq!(live[0].status, RunStatus::Live(RunState::Running(None)));
    let crashed = attempt_end(1, 1, AttemptOutcome::Crashed);
    let interrupted = attempt_end(1, 1, AttemptOutcome::Interrupted);
    write(&*store, newer, [crashed, start(1, 1), interrupted, start(1, 1)]);
    let run = store.run(RunId(1)).expect("read").expect("it is known");
    let counts = RunCounts { attempts: 1, interruptions: 1, crashes: 1 };
    assert_eq!(run.run.counts, counts);
    let attempts: Vec<_> = run
        .attempts
        .iter()
        .map(|it| (it.attempt, it.epoch, it.end.as_ref().map(|end| end.outcome)))
        .collect();
    let expected = [
        (1, older, Some(AttemptOutcome::Crashed)),
        (1, newer, Some(AttemptOutcome::Interrupted)),
        (1, newer, None),
    ];
    assert_eq!(attempts, expected);
}

pub(super) fn a_run_ends_once(factory: &dyn Factory) {
    let store = factory.open();
    let epoch = open_epoch(&*store);
    write(&*store, epoch, [requested(1, "p/a"), start(1, 1)]);
    let refused = |records| refused(&*store, epoch, records);
    let cancelled = end(1, Outcome::Cancelled);
    assert_eq!(refused(vec![cancelled.clone()]), Conflict::UnderWay(RunId(1)));
    let abandoned = Record::State {
        run: RunId(1),
        state: RunState::Abandoned(StopReason::Cancelled),
        counts: RunCounts { attempts: 1, ..RunCounts::default() },
    };
    write(&*store, epoch, [abandoned]);
    assert_eq!(refused(vec![cancelled.clone()]), Conflict::UnderWay(RunId(1)));
    let stopped = attempt_end(1, 1, AttemptOutcome::Stopped);
    write(&*store, epoch, [stopped.clone(), cancelled.clone()]);
    for record in [cancelled, start(1, 2), queued(1)] {
        assert_eq!(refused(vec![record]), Conflict::HasEnded(RunId(1)));
    }
    let not_under_way = Conflict::NotUnderWay { run: RunId(1), attempt: 1 };
    assert_eq!(refused(vec![stopped]), not_under_way);
    assert_eq!(store.live_runs(), Ok(Vec::new()));
}
