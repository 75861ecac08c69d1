//! Random tasks, and what happens to them.

use std::{sync::Arc, time::Duration};

use hotbay_plugin_api::{Backoff, Durability, Misfire, Overlap, Priority};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::plan::*;

#[derive(Debug, Clone)]
pub(super) enum Op {
    /// Time passes, in milliseconds.
    Pass(u64),
    /// The clock is set, by this many seconds.
    Set(i64),
    /// The attempt that began first, or another one, ends.
    End(usize, AttemptOutcome),
    /// A run that was asked to stop does not, and is abandoned.
    Abandon,
    /// The host ends and starts again after this many seconds, by a crash or not.
    Restart(u64, bool),
    /// A plugin is replaced: it has no build for a moment.
    Unload(usize),
    Load(usize),
    Request(usize, bool),
    Cancel(usize),
    Pause(usize, bool),
    /// The interval of a task is changed.
    Edit(usize, i64),
    Remove(usize),
    /// What has to be stored can't be stored, or can be stored again.
    Hold(bool),
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let task = 0usize..5;
    let outcome = prop_oneof![
        4 => Just(AttemptOutcome::Succeeded),
        2 => Just(AttemptOutcome::Failed("no".to_owned())),
        1 => Just(AttemptOutcome::Interrupted),
        1 => Just(AttemptOutcome::Stopped),
    ];
    prop_oneof![
        20 => (0u64..20_000).prop_map(Op::Pass),
        2 => prop_oneof![Just(3_600i64), Just(-3_600), Just(-300), Just(8 * 3_600), Just(-200_000)]
            .prop_map(Op::Set),
        20 => (0usize..4, outcome).prop_map(|(which, outcome)| Op::End(which, outcome)),
        1 => Just(Op::Abandon),
        1 => (0u64..4_000, any::<bool>()).prop_map(|(down, crash)| Op::Restart(down, crash)),
        1 => (0usize..2).prop_map(Op::Unload),
        2 => (0usize..2).prop_map(Op::Load),
        2 => (task.clone(), any::<bool>()).prop_map(|(task, forced)| Op::Request(task, forced)),
        1 => (0usize..6).prop_map(Op::Cancel),
        1 => (task.clone(), any::<bool>()).prop_map(|(task, paused)| Op::Pause(task, paused)),
        1 => (task.clone(), 4i64..60).prop_map(|(task, interval)| Op::Edit(task, interval)),
        1 => task.prop_map(Op::Remove),
        1 => any::<bool>().prop_map(Op::Hold),
    ]
}

pub(super) fn definitions() -> impl Strategy<Value = Vec<TaskDefinition>> {
    let policy =
        prop_oneof![Just(Misfire::Skip), Just(Misfire::Once), Just(Misfire::All { cap: 2 })];
    let overlap = prop_oneof![
        Just(Overlap::Skip),
        Just(Overlap::Queue),
        Just(Overlap::Allow),
        Just(Overlap::Replace)
    ];
    let on_failure = prop_oneof![
        Just(OnDependencyFailure::Skip),
        Just(OnDependencyFailure::Run),
        Just(OnDependencyFailure::Fail)
    ];
    let one = (
        (0usize..5, 4i64..60, 0u64..40, -100i16..=100),
        (policy, overlap, on_failure),
        (1u32..4, proptest::option::of(1u64..30), any::<bool>(), any::<bool>()),
        // Earlier tasks on which this one depends: no cycle is possible.
        proptest::collection::vec(any::<bool>(), 5),
    );
    proptest::collection::vec(one, 1..=5).prop_map(|all| {
        all.into_iter()
            .enumerate()
            .map(|(number, one)| {
                let (
                    (kind, interval, jitter, priority),
                    (misfire, overlap, on_failure),
                    more,
                    edges,
                ) = one;
                let (attempts, timeout, has_key, is_stored) = more;
                let earlier = (0..number).filter(|it| edges[*it]).map(task).collect::<Vec<_>>();
                let trigger = match kind {
                    0 => Trigger::Start,
                    1 if !earlier.is_empty() => Trigger::Dependencies,
                    2 => Trigger::Request,
                    _ => every(interval, jitter),
                };
                TaskDefinition {
                    plugin: plugin(number),
                    trigger,
                    priority: Priority(priority),
                    overlap,
                    misfire: MisfirePolicy { misfire, grace: None },
                    depends_on: if kind < 4 { earlier } else { Vec::new() },
                    on_dependency_failure: on_failure,
                    retry: RetryPolicy {
                        attempts,
                        delay: Duration::from_secs(2),
                        backoff: Backoff::Exponential { cap: Duration::from_secs(10) },
                        crashes: 2,
                    },
                    timeout: timeout.map(Duration::from_secs),
                    at_once: Some(2),
                    key: has_key.then(|| "key".into()),
                    start_interval: SignedDuration::ZERO,
                    durability: if is_stored { Durability::Fsync } else { Durability::Memory },
                }
            })
            .collect()
    })
}

pub(super) fn every(interval: i64, jitter: u64) -> Trigger {
    let interval = SignedDuration::from_secs(interval);
    let recurrence = Recurrence::Every { interval, anchor: Timestamp::UNIX_EPOCH };
    Trigger::Time(Timing { jitter: Duration::from_secs(jitter), ..Timing::new(recurrence) })
}

pub(super) fn task(number: usize) -> Arc<str> {
    format!("p{}/t{number}", number % 2).into()
}

pub(super) fn plugin(number: usize) -> Arc<str> {
    format!("p{}", number % 2).into()
}
