//! From records to statements.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    codes::{Code, ENDED, Number, Time, cause_columns, state_columns},
    counts::{self, Counts},
    failure::Fault,
    names::Names,
};
use crate::store::{
    AttemptOutcome, Conflict, Edge, Epoch, LogLevel, NewRun, Outcome, Record, RunCounts, RunId,
    RunState, Skip, TaskChange, Written,
};

/// The number of records of missed runs that are kept of each task.
const MISSED_KEPT: i64 = 100;

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

    fn created(&mut self, new: &NewRun) -> Result<(), Fault> {
        let task = self.memory.tasks.id(self.db, &new.task)?;
        let (cause, nominal, request) = cause_columns(new.cause);
        let (state, until, stopping) = state_columns(new.state);
        let inserted = self
            .db
            .prepare_cached(
                "INSERT INTO runs (run, task, state, cause, nominal, request, key, since, priority,
                 arguments, until, stopping) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
                 ?12) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                Number::from(new.run),
                task,
                state,
                cause,
                nominal,
                request,
                new.key,
                Time(new.since),
                new.priority,
                new.arguments,
                until,
                stopping
            ])?;
        if inserted == 0 {
            return self.duplicate(new.run);
        }
        self.memory.counts.totals.live_runs += 1;
        self.inserted(new.run);
        Ok(())
    }

    fn skipped(&mut self, skip: &Skip) -> Result<(), Fault> {
        let task = self.memory.tasks.id(self.db, &skip.task)?;
        let (cause, nominal, request) = cause_columns(skip.cause);
        let inserted = self
            .db
            .prepare_cached(
                "INSERT INTO runs (run, task, state, cause, nominal, request, since, priority,
                 ended, outcome, reason, because_of) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?7,
                 ?8, ?9, ?10) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                Number::from(skip.run),
                task,
                ENDED,
                cause,
                nominal,
                request,
                Time(skip.at),
                Code(Outcome::Skipped),
                skip.reason,
                skip.by.map(Number::from)
            ])?;
        if inserted == 0 {
            return self.duplicate(skip.run);
        }
        self.memory.counts.ended(task, Outcome::Skipped);
        self.inserted(skip.run);
        Ok(())
    }

    fn inserted(&mut self, run: RunId) {
        let totals = &mut self.memory.counts.totals;
        totals.runs += 1;
        totals.next_run =
            totals.next_run.max(i64::try_from(run.0).unwrap_or(i64::MAX).saturating_add(1));
    }

    /// Deals with a run that was not inserted.
    fn duplicate(&mut self, run: RunId) -> Result<(), Fault> {
        if self.open_of(run)?.is_some() {
            return Err(Conflict::RunExists(run).into());
        }
        self.written.duplicates.push(run);
        Ok(())
    }

    fn state(&mut self, run: RunId, state: RunState, counts: RunCounts) -> Result<(), Fault> {
        let (state, until, stopping) = state_columns(state);
        let RunCounts { attempts, interruptions, crashes } = counts;
        let changed = self
            .db
            .prepare_cached(
                "UPDATE runs SET state = ?2, until = ?3, stopping = ?4, attempts = ?5,
                 interruptions = ?6, crashes = ?7 WHERE run = ?1 AND state < 5",
            )?
            .execute(params![
                Number::from(run),
                state,
                until,
                stopping,
                attempts,
                interruptions,
                crashes
            ])?;
        if changed == 0 { Err(self.why_not(run)?.into()) } else { Ok(()) }
    }

    fn started(
        &mut self,
        run: RunId,
        attempt: u32,
        at: Timestamp,
        build: &Arc<str>,
    ) -> Result<(), Fault> {
        let build = self.memory.builds.id(self.db, build)?;
        let columns = (Number::from(run), attempt, Number(self.epoch.0), Time(at), build);
        let first = "UPDATE runs SET state = 3, until = NULL, stopping = NULL, attempts = ?2,
             starts = 1, attempt = ?2, epoch = ?3, attempt_began = ?4, build = ?5
             WHERE run = ?1 AND starts = 0 AND state < 5";
        if self.db.prepare_cached(first)?.execute(columns)? > 0 {
            return Ok(());
        }
        match self.open_of(run)? {
            Some(Open { has_ended: false, under_way: false }) => {}
            _ => return Err(self.why_not(run)?.into()),
        }
        let keep = "INSERT INTO earlier_attempts SELECT run, starts, attempt, epoch, build,
             attempt_began, attempt_ended, attempt_outcome, attempt_error FROM runs WHERE run = ?1";
        self.db.prepare_cached(keep)?.execute([Number::from(run)])?;
        let next = "UPDATE runs SET state = 3, until = NULL, stopping = NULL, attempts = ?2,
             starts = starts + 1, attempt = ?2, epoch = ?3, attempt_began = ?4, build = ?5,
             attempt_ended = NULL, attempt_outcome = NULL, attempt_error = NULL WHERE run = ?1";
        self.db.prepare_cached(next)?.execute(columns)?;
        Ok(())
    }

    fn attempt_ended(
        &mut self,
        run: RunId,
        attempt: u32,
        at: Timestamp,
        outcome: AttemptOutcome,
        error: Option<&str>,
    ) -> Result<(), Fault> {
        let interrupted = i64::from(outcome == AttemptOutcome::Interrupted);
        let crashed = i64::from(outcome == AttemptOutcome::Crashed);
        let changed = self
            .db
            .prepare_cached(
                "UPDATE runs SET state = 2, stopping = NULL,
                 attempts = max(0, attempts - ?6 - ?7),
                 interruptions = interruptions + ?6, crashes = crashes + ?7,
                 attempt_ended = ?3, attempt_outcome = ?4, attempt_error = ?5
                 WHERE run = ?1 AND attempt = ?2 AND attempt_ended IS NULL AND state < 5",
            )?
            .execute(params![
                Number::from(run),
                attempt,
                Time(at),
                Code(outcome),
                error,
                interrupted,
                crashed
            ])?;
        match changed {
            0 if self.open_of(run)?.is_none() => Err(Conflict::NoSuchRun(run).into()),
            0 => Err(Conflict::NotUnderWay { run, attempt }.into()),
            _ => Ok(()),
        }
    }

    fn ended(
        &mut self,
        run: RunId,
        at: Timestamp,
        outcome: Outcome,
        by: Option<RunId>,
        (reason, result): (Option<&str>, Option<&str>),
    ) -> Result<(), Fault> {
        let task: Option<i64> = self
            .db
            .prepare_cached(
                "UPDATE runs SET state = 5, until = NULL, stopping = NULL, ended = ?2,
                 outcome = ?3, reason = ?4, because_of = ?5, result = ?6 WHERE run = ?1 AND
                 state < 5 AND (attempt IS NULL OR attempt_ended IS NOT NULL) RETURNING task",
            )?
            .query_row(
                params![
                    Number::from(run),
                    Time(at),
                    Code(outcome),
                    reason,
                    by.map(Number::from),
                    result
                ],
                |row| row.get(0),
            )
            .optional()?;
        let Some(task) = task else { return Err(self.why_not(run)?.into()) };
        self.memory.counts.ended(task, outcome);
        self.memory.counts.totals.live_runs -= 1;
        Ok(())
    }

    fn missed(
        &mut self,
        task: &Arc<str>,
        count: u64,
        is_counted: bool,
        [at, first, last]: [Time; 3],
    ) -> Result<(), Fault> {
        let task = self.memory.tasks.id(self.db, task)?;
        self.db
            .prepare_cached(
                "INSERT INTO missed SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4, ?5, ?6
                 FROM missed WHERE task = ?1",
            )?
            .execute(params![task, at, Number(count), is_counted, first, last])?;
        self.db
            .prepare_cached(
                "DELETE FROM missed WHERE task = ?1 AND
                 number <= (SELECT max(number) FROM missed WHERE task = ?1) - ?2",
            )?
            .execute((task, MISSED_KEPT))?;
        self.memory.counts.missed(task, i64::try_from(count).unwrap_or(i64::MAX));
        Ok(())
    }

    fn log(
        &mut self,
        run: RunId,
        at: Timestamp,
        level: LogLevel,
        message: &str,
    ) -> Result<(), Fault> {
        let inserted = self
            .db
            .prepare_cached(
                "INSERT INTO logs SELECT run, (SELECT coalesce(max(number), 0) + 1 FROM logs
                 WHERE run = ?1), ?2, ?3, ?4 FROM runs WHERE run = ?1",
            )?
            .execute(params![Number::from(run), Time(at), Code(level), message])?;
        if inserted == 0 {
            return Err(Conflict::NoSuchRun(run).into());
        }
        self.memory.counts.totals.log_lines += 1;
        Ok(())
    }

    /// Returns why a record about a run does not apply.
    fn why_not(&self, run: RunId) -> rusqlite::Result<Conflict> {
        Ok(match self.open_of(run)? {
            None => Conflict::NoSuchRun(run),
            Some(Open { has_ended: true, .. }) => Conflict::HasEnded(run),
            Some(_) => Conflict::UnderWay(run),
        })
    }

    fn open_of(&self, run: RunId) -> rusqlite::Result<Option<Open>> {
        self.db
            .prepare_cached(
                "SELECT state = 5, attempt IS NOT NULL AND attempt_ended IS NULL FROM runs
                 WHERE run = ?1",
            )?
            .query_row([Number::from(run)], |row| {
                Ok(Open { has_ended: row.get(0)?, under_way: row.get(1)? })
            })
            .optional()
    }

    fn task(&mut self, task: &Arc<str>, change: &TaskChange) -> Result<(), Fault> {
        let id = self.memory.tasks.id(self.db, task)?;
        let db = self.db;
        match change {
            TaskChange::Schedule { text, anchor } => db
                .prepare_cached("UPDATE tasks SET schedule = ?2, anchor = ?3 WHERE id = ?1")?
                .execute(params![id, text, anchor.map(Time)])?,
            TaskChange::Cursor(at) => db
                .prepare_cached("UPDATE tasks SET cursor = ?2 WHERE id = ?1")?
                .execute(params![id, Time(*at)])?,
            TaskChange::Paused(paused) => db
                .prepare_cached("UPDATE tasks SET paused = ?2 WHERE id = ?1")?
                .execute(params![id, paused])?,
            TaskChange::Enabled(enabled) => db
                .prepare_cached("UPDATE tasks SET enabled = ?2 WHERE id = ?1")?
                .execute(params![id, enabled])?,
            TaskChange::Edges(edges) => self.edges(id, edges)?,
        };
        Ok(())
    }

    fn edges(&self, task: i64, edges: &[Edge]) -> rusqlite::Result<usize> {
        self.db.prepare_cached("DELETE FROM edges WHERE task = ?1")?.execute([task])?;
        let mut insert = self.db.prepare_cached(
            "INSERT INTO edges (task, upstream, consumed, latest, failure) VALUES (?1, ?2, ?3, ?4,
             ?5)",
        )?;
        for edge in edges {
            let consumed = edge.consumed.map(Number::from);
            let (latest, failure) = match &edge.latest {
                Some((run, failure)) => (Some(Number::from(*run)), failure.as_deref()),
                None => (None, None),
            };
            insert.execute(params![task, edge.upstream, consumed, latest, failure])?;
        }
        Ok(edges.len())
    }
}

/// Whether a run, or its attempt, has ended.
struct Open {
    has_ended: bool,
    under_way: bool,
}
