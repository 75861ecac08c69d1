//! Records of events that have no run.
//!
//! A fast channel can have very many of them, for example while a run is in their way. The first one of
//! a task is recorded at once, and the others together, once in a minute at most; so the history of a
//! task is not made up of them, and the store takes no more than it can. While nothing can be stored,
//! they are counted in memory.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hotbay_store::store::{RunCause, Skip};
use jiff::Timestamp;
use tokio::time::Instant;

use super::{Runner, now};
use crate::plan::RunId;

/// The shortest time between two records about the events of one task.
const BETWEEN: Duration = Duration::from_secs(60);

/// The events of a task that had no run, since the last record about them.
#[derive(Debug)]
struct SkippedEvents {
    channel: Arc<str>,
    /// The number of events that are not recorded yet.
    count: u64,
    /// The time of the first of these events.
    first: Timestamp,
    /// Why the last one had no run.
    reason: String,
    /// The run that was in the way of the last one.
    by: Option<RunId>,
    /// When the events that were counted are recorded.
    due: Instant,
}

/// The events that had no run and are not recorded yet, by the ids of the tasks. A task without any
/// is kept until its next record may follow the last one.
#[derive(Debug, Default)]
pub(super) struct Unrecorded(BTreeMap<Arc<str>, SkippedEvents>);

/// Which records about skipped events are made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Records {
    /// Those whose time has come.
    Due,
    /// All, because the host stops.
    All,
}

impl Runner {
    /// Takes note of an event that has no run.
    pub(super) fn event_skipped(
        &mut self,
        task: Arc<str>,
        channel: Arc<str>,
        reason: String,
        by: Option<RunId>,
        at: Timestamp,
    ) {
        self.count(&task, |ended| ended.skipped += 1);
        let skipped = self.unrecorded.0.entry(task).or_insert_with(|| SkippedEvents {
            channel: Arc::clone(&channel),
            count: 0,
            first: at,
            reason: String::new(),
            by: None,
            due: Instant::now(),
        });
        if skipped.count == 0 {
            skipped.first = at;
        }
        skipped.count += 1;
        (skipped.channel, skipped.reason, skipped.by) = (channel, reason, by);
    }

    /// Adds records about events that had no run to what is to be stored.
    pub(super) fn record_skipped_events(&mut self, which: Records) {
        // A store that fails would keep these batches in memory.
        if self.unrecorded.0.is_empty() || self.writes.failure().is_some() {
            return;
        }
        let present = Instant::now();
        let mut skips = Vec::new();
        self.unrecorded.0.retain(|task, skipped| {
            if which == Records::Due && skipped.due > present {
                return true;
            }
            let count = std::mem::take(&mut skipped.count);
            skipped.due = present + BETWEEN;
            if count > 0 {
                skips.push(skipped.record(task, count));
            }
            count > 0
        });
        for mut skip in skips {
            skip.run = self.plan.take_number();
            self.add_skip(skip);
        }
    }
}

impl SkippedEvents {
    /// Returns the record, with a number to be filled in.
    fn record(&self, task: &Arc<str>, count: u64) -> Skip {
        let (first, reason) = (self.first, &self.reason);
        let reason = match count {
            1 => reason.clone(),
            _ => format!("{reason} (the last of {count} events without a run since {first:.0})"),
        };
        Skip {
            run: RunId(0),
            task: Arc::clone(task),
            cause: RunCause::Event { request: 0, channel: Arc::clone(&self.channel) },
            at: now(),
            reason,
            by: self.by,
            count,
        }
    }
}
