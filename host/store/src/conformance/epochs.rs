//! Who is in charge.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use super::{
    Factory,
    samples::{LONG, host, open_epoch, requested, write},
};
use crate::store::{Batch, Durability, StoreError};

pub(super) fn a_newer_epoch_fences_the_older_one(factory: &dyn Factory) {
    let store = factory.open();
    let older = open_epoch(&*store);
    write(&*store, older, [requested(1, "p/a")]);
    let newer = open_epoch(&*store);
    assert!(newer > older);
    let fenced = Err(StoreError::Fenced { epoch: older });
    let batch = |run| Batch { records: vec![requested(run, "p/a")], durability: Durability::Async };
    assert_eq!(store.write_and_wait(older, batch(2)).map(drop), fenced);
    assert_eq!(store.heartbeat(older, LONG), fenced);
    assert_eq!(store.close_epoch(older), fenced);
    store.write_and_wait(newer, batch(3)).expect("the newer epoch writes");
    store.heartbeat(newer, LONG).expect("the newer epoch is alive");
    let runs: Vec<_> = store.live_runs().expect("read").iter().map(|run| run.run.0).collect();
    assert_eq!(runs, [1, 3]);
}

pub(super) fn a_closed_epoch_can_be_followed_at_once(factory: &dyn Factory) {
    let (first, second) = (factory.open(), factory.open());
    let closed = open_epoch(&*first);
    first.close_epoch(closed).expect("close");
    let fenced = Err(StoreError::Fenced { epoch: closed });
    let batch = Batch { records: vec![requested(1, "p/a")], durability: Durability::Fsync };
    assert_eq!(first.write_and_wait(closed, batch).map(drop), fenced);
    let next = second.open_epoch(&host(2), LONG).expect("nobody is in charge");
    assert!(next > closed);
    write(&*second, next, [requested(1, "p/a")]);
}

pub(super) fn a_host_in_charge_keeps_others_out(factory: &dyn Factory) {
    let (first, second) = (factory.open(), factory.open());
    let epoch = first.open_epoch(&host(4711), LONG).expect("nobody is in charge");
    let held = second.open_epoch(&host(2), LONG).expect_err("the first is in charge");
    let StoreError::Held { by, .. } = &held else { panic!("{held}") };
    assert!(by.contains("4711"), "{held}");
    write(&*first, epoch, [requested(1, "p/a")]);
    // Anybody can read.
    assert_eq!(second.live_runs().expect("read").len(), 1);
}

pub(super) fn a_host_that_is_gone_is_followed(factory: &dyn Factory) {
    let lease = Duration::from_millis(500);
    let (first, second) = (factory.open(), factory.open());
    let gone = first.open_epoch(&host(1), lease).expect("nobody is in charge");
    write(&*first, gone, [requested(1, "p/a")]);
    drop(first);
    let limit = Instant::now() + Duration::from_secs(30);
    let next = loop {
        match second.open_epoch(&host(2), lease) {
            Ok(epoch) => break epoch,
            Err(StoreError::Held { .. }) if Instant::now() < limit => sleep(lease / 10),
            Err(error) => panic!("{error}"),
        }
    };
    assert!(next > gone);
    assert_eq!(second.live_runs().expect("read").len(), 1);
    write(&*second, next, [requested(2, "p/a")]);
}
