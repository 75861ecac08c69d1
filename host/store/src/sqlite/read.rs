//! Reading runs.

pub(super) mod tasks;

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::codes::{Code, Number, Time, cause_of, shared, state_of};
use crate::store::{
    Attempt, AttemptEnd, Epoch, LogLine, Page, RunCounts, RunDetail, RunEnd, RunId, RunQuery,
    RunRecord, RunStatus, Stats,
};

/// The most runs of a page.
const MOST_IN_PAGE: usize = 1_000;

/// The columns of a run, and of its latest attempt.
const RUN: &str = "SELECT runs.run, tasks.task, runs.cause, runs.nominal, runs.request, runs.key,
    runs.since, runs.priority, runs.arguments, runs.state, runs.until, runs.stopping,
    runs.attempts, runs.interruptions, runs.crashes, runs.ended, runs.outcome, runs.reason,
    runs.because_of, runs.result, runs.attempt, runs.epoch, builds.build, runs.attempt_began,
    runs.attempt_ended, runs.attempt_outcome, runs.attempt_error
    FROM runs JOIN tasks ON tasks.id = runs.task LEFT JOIN builds ON builds.id = runs.build";

fn run_of(row: &Row<'_>) -> rusqlite::Result<RunRecord> {
    let status = match state_of(row, 9)? {
        Some(state) => RunStatus::Live(state),
        None => RunStatus::Ended(RunEnd {
            at: row.get::<_, Time>(15)?.0,
            outcome: row.get::<_, Code<_>>(16)?.0,
            reason: row.get(17)?,
            by: row.get::<_, Option<Number>>(18)?.map(RunId::from),
            result: row.get(19)?,
        }),
    };
    Ok(RunRecord {
        run: row.get::<_, Number>(0)?.into(),
        task: row.get(1)?,
        cause: cause_of(row, 2)?,
        key: row.get(5)?,
        since: row.get::<_, Time>(6)?.0,
        priority: row.get(7)?,
        arguments: row.get(8)?,
        status,
        counts: RunCounts {
            attempts: row.get(12)?,
            interruptions: row.get(13)?,
            crashes: row.get(14)?,
        },
        attempt: attempt_of(row, 20)?,
    })
}

/// Reads an attempt whose columns begin at this one.
fn attempt_of(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Attempt>> {
    let Some(attempt) = row.get(first)? else { return Ok(None) };
    let ended: Option<Time> = row.get(first + 4)?;
    let end = match ended {
        None => None,
        Some(Time(at)) => Some(AttemptEnd {
            at,
            outcome: row.get::<_, Code<_>>(first + 5)?.0,
            error: row.get(first + 6)?,
        }),
    };
    Ok(Some(Attempt {
        attempt,
        epoch: Epoch(row.get::<_, Number>(first + 1)?.0),
        build: row.get::<_, Option<_>>(first + 2)?.unwrap_or_else(|| shared("")),
        at: row.get::<_, Time>(first + 3)?.0,
        end,
    }))
}

/// The runs that have not ended.
pub(super) fn live(db: &Connection) -> rusqlite::Result<Vec<RunRecord>> {
    let sql = format!("{RUN} WHERE runs.state < 5 ORDER BY runs.run");
    db.prepare_cached(&sql)?.query_map([], run_of)?.collect()
}

/// A page of runs, newest first.
pub(super) fn page(db: &Connection, query: &RunQuery) -> rusqlite::Result<Page<RunRecord>> {
    let limit = query.limit.clamp(1, MOST_IN_PAGE);
    let before = Number(query.before.map_or(u64::MAX, |before| before.0));
    let (task, outcome) = (query.task.as_deref(), query.outcome.map(Code));
    let mut sql = format!("{RUN} WHERE runs.run < ?1");
    let mut values: Vec<&dyn ToSql> = vec![&before];
    if let Some(task) = &task {
        values.push(task);
        sql += &format!(" AND runs.task = (SELECT id FROM tasks WHERE task = ?{})", values.len());
    }
    if let Some(outcome) = &outcome {
        values.push(outcome);
        // The second condition lets the index of these runs be used.
        let rare = if outcome.0 == crate::store::Outcome::Succeeded {
            ""
        } else {
            " AND runs.outcome > 0"
        };
        sql += &format!(" AND runs.outcome = ?{}{rare}", values.len());
    }
    // One more tells whether there is another page.
    let more = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    values.push(&more);
    sql += &format!(" ORDER BY runs.run DESC LIMIT ?{}", values.len());
    let mut statement = db.prepare_cached(&sql)?;
    let found = statement.query_map(values.as_slice(), run_of)?;
    let mut items = found.collect::<rusqlite::Result<Vec<_>>>()?;
    let has_more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| has_more).map(|last| last.run);
    Ok(Page { items, next })
}

/// A run with all of its attempts.
pub(super) fn detail(db: &Connection, run: RunId) -> rusqlite::Result<Option<RunDetail>> {
    let number = Number::from(run);
    let sql = format!("{RUN} WHERE runs.run = ?1");
    let Some(run) = db.prepare_cached(&sql)?.query_row([number], run_of).optional()? else {
        return Ok(None);
    };
    let sql = "SELECT attempt, epoch, builds.build, began, ended, outcome, error
        FROM earlier_attempts LEFT JOIN builds ON builds.id = earlier_attempts.build
        WHERE run = ?1 ORDER BY start";
    let mut statement = db.prepare_cached(sql)?;
    let earlier = statement.query_map([number], |row| attempt_of(row, 0))?;
    let mut attempts: Vec<_> =
        earlier.filter_map(Result::transpose).collect::<rusqlite::Result<_>>()?;
    attempts.extend(run.attempt.clone());
    Ok(Some(RunDetail { run, attempts }))
}

/// Lines of the log of a run.
pub(super) fn log(
    db: &Connection,
    run: RunId,
    after: u64,
    limit: usize,
) -> rusqlite::Result<Vec<LogLine>> {
    let sql = "SELECT number, at, level, message FROM logs WHERE run = ?1 AND number > ?2
        ORDER BY number LIMIT ?3";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    db.prepare_cached(sql)?
        .query_map(params![Number::from(run), Number(after), limit], |row| {
            Ok(LogLine {
                number: row.get::<_, Number>(0)?.0,
                at: row.get::<_, Time>(1)?.0,
                level: row.get::<_, Code<_>>(2)?.0,
                message: row.get(3)?,
            })
        })?
        .collect()
}

/// How much the file holds.
pub(super) fn stats(db: &Connection) -> rusqlite::Result<Stats> {
    let pragma = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, Number>(0));
    let page = pragma("page_size")?.0;
    let bytes = |pages: Number| pages.0.saturating_mul(page);
    let sql = "SELECT runs, live_runs, log_lines FROM totals";
    let mut stats = db.query_row(sql, [], |row| {
        Ok(Stats {
            runs: row.get::<_, Number>(0)?.0,
            live_runs: row.get::<_, Number>(1)?.0,
            log_lines: row.get::<_, Number>(2)?.0,
            ..Stats::default()
        })
    })?;
    stats.file_bytes = bytes(pragma("page_count")?);
    stats.free_bytes = bytes(pragma("freelist_count")?);
    Ok(stats)
}
