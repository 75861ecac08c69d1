//! Records about runs.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::Apply;
use crate::{
    sqlite::{
        codes::{CauseColumns, Code, ENDED, Number, Time, state_columns},
        failure::Fault,
    },
    store::{
        AttemptOutcome, Conflict, LogLevel, NewRun, Outcome, RunCounts, RunId, RunState, Skip,
    },
};

impl Apply<'_> {
    pub(super) fn created(&mut self, new: &NewRun) -> Result<(), Fault> {
        let task = self.memory.tasks.id(self.db, &new.task)?;
        let CauseColumns { cause, nominal, request, channel } = (&new.cause).into();
        let (state, until, stopping) = state_columns(new.state);
        let inserted = self
            .db
            .prepare_cached(
                "INSERT INTO runs (run, task, state, cause, nominal, request, key, since, priority,
                 arguments, until, stopping, channel) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,
                 ?10, ?11, ?12, ?13) ON CONFLICT DO NOTHING",
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
                stopping,
                channel
            ])?;
        if inserted == 0 {
            return self.duplicate(new.run);
        }
        self.memory.counts.totals.live_runs += 1;
        self.inserted(new.run);
        Ok(())
    }

    pub(super) fn skipped(&mut self, skip: &Skip) -> Result<(), Fault> {
        let task = self.memory.tasks.id(self.db, &skip.task)?;
        let CauseColumns { cause, nominal, request, channel } = (&skip.cause).into();
        let inserted = self
            .db
            .prepare_cached(
                "INSERT INTO runs (run, task, state, cause, nominal, request, since, priority,
                 ended, outcome, reason, because_of, channel) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0,
                 ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
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
                skip.by.map(Number::from),
                channel
            ])?;
        if inserted == 0 {
            return self.duplicate(skip.run);
        }
        self.memory.counts.skipped(task, skip.count);
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

    pub(super) fn state(
        &mut self,
        run: RunId,
        state: RunState,
        counts: RunCounts,
    ) -> Result<(), Fault> {
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

    pub(super) fn started(
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
             starts = starts + 1, began = coalesce(began, attempt_began),
             attempt = ?2, epoch = ?3, attempt_began = ?4, build = ?5, attempt_ended = NULL, attempt_outcome = NULL, attempt_error = NULL WHERE run = ?1";
        self.db.prepare_cached(next)?.execute(columns)?;
        Ok(())
    }

    pub(super) fn attempt_ended(
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

    pub(super) fn ended(
        &mut self,
        run: RunId,
        at: Timestamp,
        outcome: Outcome,
        by: Option<RunId>,
        (reason, result): (Option<&str>, Option<&str>),
    ) -> Result<(), Fault> {
        let changed = self
            .db
            .prepare_cached(
                "UPDATE runs SET state = 5, until = NULL, stopping = NULL, ended = ?2,
                 outcome = ?3, reason = ?4, because_of = ?5, result = ?6 WHERE run = ?1 AND
                 state < 5 AND (attempt IS NULL OR attempt_ended IS NOT NULL)",
            )?
            .execute(params![
                Number::from(run),
                Time(at),
                Code(outcome),
                reason,
                by.map(Number::from),
                result
            ])?;
        if changed == 0 {
            return Err(self.why_not(run)?.into());
        }
        // Returning it from the update would make a temporary table.
        let task = self
            .db
            .prepare_cached("SELECT task FROM runs WHERE run = ?1")?
            .query_row([Number::from(run)], |row| row.get(0))?;
        self.memory.counts.ended(task, outcome);
        self.memory.counts.totals.live_runs -= 1;
        Ok(())
    }

    pub(super) fn log(
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
}

/// Whether a run, or its attempt, has ended.
struct Open {
    has_ended: bool,
    under_way: bool,
}
