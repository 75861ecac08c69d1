//! From records to statements.

mod runs;
mod tasks;

use rusqlite::Connection;

use super::{
    codes::Time,
    counts::{self, Counts},
    failure::Fault,
    names::Names,
};
use crate::store::{Epoch, Record, Written};

/// What the writer remembers about the file, and about the transaction that is under way.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) tasks: Names,
    pub(super) builds: Names,
    pub(super) counts: Counts,
}

/// A moment to which [`Memory::roll_back`] returns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    tasks: usize,
    builds: usize,
    counts: counts::Mark,
}

impl Memory {
    pub(super) fn new() -> Self {
        let (tasks, builds) = (Names::of_tasks(), Names::of_builds());
        Self { tasks, builds, counts: Counts::default() }
    }

    pub(super) fn mark(&self) -> Mark {
        let (tasks, builds) = (self.tasks.mark(), self.builds.mark());
        Mark { tasks, builds, counts: self.counts.mark() }
    }

    pub(super) fn roll_back(&mut self, mark: Mark) {
        self.tasks.roll_back(mark.tasks);
        self.builds.roll_back(mark.builds);
        self.counts.roll_back(mark.counts);
    }

    pub(super) fn commit(&mut self) {
        self.tasks.commit();
        self.builds.commit();
    }
}

/// Applies the records of a batch.
pub(super) struct Apply<'a> {
    pub(super) db: &'a Connection,
    pub(super) memory: &'a mut Memory,
    pub(super) epoch: Epoch,
    pub(super) written: Written,
}

impl Apply<'_> {
    pub(super) fn record(&mut self, record: &Record) -> Result<(), Fault> {
        if self.is_of_duplicate(record) {
            return Ok(());
        }
        match record {
            Record::Task { task, change } => self.task(task, change),
            Record::Created(new) => self.created(new),
            Record::State { run, state, counts } => self.state(*run, *state, *counts),
            Record::Started { run, attempt, at, build } => self.started(*run, *attempt, *at, build),
            Record::AttemptEnded { run, attempt, at, outcome, error } => {
                self.attempt_ended(*run, *attempt, *at, *outcome, error.as_deref())
            }
            Record::Ended { run, at, outcome, reason, by, result } => {
                let texts = (reason.as_deref(), result.as_deref());
                self.ended(*run, *at, *outcome, *by, texts)
            }
            Record::Skipped(skip) => self.skipped(skip),
            Record::Missed { task, at, count, is_counted, first, last } => {
                let times = [*at, *first, *last].map(Time);
                self.missed(task, *count, *is_counted, times)
            }
            Record::Log { run, at, level, message } => self.log(*run, *at, *level, message),
        }
    }

    /// Returns `true` if the record is about a run that this batch did not create, because it is a
    /// duplicate.
    fn is_of_duplicate(&self, record: &Record) -> bool {
        if self.written.duplicates.is_empty() {
            return false;
        }
        let run = match record {
            Record::State { run, .. }
            | Record::Started { run, .. }
            | Record::AttemptEnded { run, .. }
            | Record::Ended { run, .. }
            | Record::Log { run, .. } => run,
            Record::Task { .. }
            | Record::Created(_)
            | Record::Skipped(_)
            | Record::Missed { .. } => return false,
        };
        self.written.duplicates.contains(run)
    }
}
