//! The queue of what is to be written.

use std::{
    collections::VecDeque,
    fmt,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use super::writer::{Writer, tell};
use crate::store::{Batch, Done, Edge, Epoch, Record, StoreError, TaskChange};

/// The most batches that are queued.
const MOST_BATCHES: usize = 65_536;
/// The most bytes that are queued, about.
const MOST_BYTES: usize = 64 << 20;
/// The most batches that are written in one transaction, so that the first of them does not wait
/// for long.
const MOST_IN_GROUP: usize = 1_024;

/// The longest time that the writer waits for more batches once it has one.
const PATIENCE: Duration = Duration::from_millis(2);

/// A batch that is queued.
pub(super) struct Queued {
    pub(super) epoch: Epoch,
    pub(super) batch: Batch,
    pub(super) done: Done,
    since: Instant,
    bytes: usize,
}

/// What the writer knows of the last group.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LastGroup {
    /// How many batches it had, with those that came while it was written.
    pub(super) batches: usize,
    /// How long it took to write it.
    pub(super) taken: Duration,
}

/// What the writer does next.
pub(super) enum Job {
    /// Write these batches in one transaction.
    Group(Vec<Queued>),
    /// Call this.
    Call(Box<dyn FnOnce(&mut Writer) + Send>),
    /// End.
    End,
}

enum Entry {
    Batch(Queued),
    Call(Box<dyn FnOnce(&mut Writer) + Send>),
}

/// The queue between those who write and the writer.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    entries: VecDeque<Entry>,
    batches: usize,
    bytes: usize,
    closed: bool,
    /// The number of batches for which the writer waits.
    wanted: usize,
}

impl Queue {
    /// Queues a batch. If it can't be, what is to be done is returned with the reason.
    pub(super) fn push(&self, epoch: Epoch, batch: Batch, done: Done) -> Result<(), Refused> {
        let bytes = batch.records.iter().map(size_of_record).sum();
        let mut state = self.state.lock();
        if state.closed {
            return Err(Refused { done, reason: StoreError::Closed });
        }
        // A single batch is taken however large it is.
        if state.batches >= MOST_BATCHES || (state.bytes + bytes > MOST_BYTES && state.batches > 0)
        {
            return Err(Refused { done, reason: StoreError::Busy });
        }
        state.batches += 1;
        state.bytes += bytes;
        let queued = Queued { epoch, batch, done, since: Instant::now(), bytes };
        state.entries.push_back(Entry::Batch(queued));
        if state.batches >= state.wanted {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Queues a call, which takes place after all batches before it. Returns `false` if the queue
    /// is closed.
    pub(super) fn call(&self, call: impl FnOnce(&mut Writer) + Send + 'static) -> bool {
        let mut state = self.state.lock();
        if !state.closed {
            state.entries.push_back(Entry::Call(Box::new(call)));
            self.filled.notify_one();
        }
        !state.closed
    }

    /// Lets the writer end after what is queued.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_one();
    }

    /// Waits for something to do.
    ///
    /// Those who were told of the last group are likely to write again at once. If the writer did
    /// not wait for them, it would write two groups by turns, each of half the batches.
    pub(super) fn next(&self, last: LastGroup) -> Job {
        let mut state = self.state.lock();
        state.wanted = 1;
        while state.entries.is_empty() && !state.closed {
            self.filled.wait(&mut state);
        }
        state.wanted = last.batches.min(MOST_IN_GROUP);
        let until = Instant::now() + (last.taken / 4).min(PATIENCE);
        while state.batches < state.wanted && state.batches == state.entries.len() {
            if state.closed || self.filled.wait_until(&mut state, until).timed_out() {
                break;
            }
        }
        let mut group = Vec::new();
        while group.len() < MOST_IN_GROUP {
            match state.entries.pop_front() {
                Some(Entry::Batch(queued)) => {
                    state.batches -= 1;
                    state.bytes -= queued.bytes;
                    group.push(queued);
                }
                Some(Entry::Call(call)) if group.is_empty() => return Job::Call(call),
                Some(call) => {
                    state.entries.push_front(call);
                    break;
                }
                None => break,
            }
        }
        if group.is_empty() { Job::End } else { Job::Group(group) }
    }

    /// Returns the number of batches that are queued.
    pub(super) fn batches(&self) -> usize {
        self.state.lock().batches
    }

    /// Returns the number of batches and for how long the oldest has been queued.
    pub(super) fn lag(&self) -> (usize, Duration) {
        let state = self.state.lock();
        let oldest = state.entries.iter().find_map(|entry| match entry {
            Entry::Batch(queued) => Some(queued.since.elapsed()),
            Entry::Call(_) => None,
        });
        (state.batches, oldest.unwrap_or_default())
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("lag", &self.lag()).finish_non_exhaustive()
    }
}

/// Ends the queue when the writer does, also by a panic: nobody must wait for it then.
pub(super) struct EndAtDrop<'a>(pub(super) &'a Queue);

impl Drop for EndAtDrop<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        let left = std::mem::take(&mut *state);
        state.closed = true;
        drop(state);
        for entry in left.entries {
            match entry {
                Entry::Batch(queued) => tell(queued.done, Err(StoreError::Closed)),
                // Who waits for the call notices that it is gone.
                Entry::Call(call) => drop(call),
            }
        }
    }
}

/// A batch that was not queued.
pub(super) struct Refused {
    pub(super) done: Done,
    pub(super) reason: StoreError,
}

/// About how many bytes a record takes in memory.
fn size_of_record(record: &Record) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let texts = match record {
        Record::Created(new) => text(&new.arguments) + 160,
        Record::Skipped(skip) => skip.reason.len() + 120,
        Record::AttemptEnded { error, .. } => text(error),
        Record::Ended { reason, result, .. } => text(reason) + text(result),
        Record::Log { message, .. } => message.len(),
        Record::Task { change: TaskChange::Schedule { text, .. }, .. } => text.len(),
        Record::Task { change: TaskChange::Edges(edges), .. } => {
            let failure = |edge: &Edge| edge.latest.as_ref().map_or(0, |(_, it)| text(it));
            edges.iter().map(|edge| size_of::<Edge>() + failure(edge)).sum()
        }
        Record::Task { .. }
        | Record::State { .. }
        | Record::Started { .. }
        | Record::Missed { .. } => 0,
    };
    size_of::<Record>() + texts
}
