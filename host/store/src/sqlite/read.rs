//! Reading runs.

pub(super) mod tasks;

use std::{collections::HashSet, sync::Arc};

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params, types::ValueRef};

use super::codes::{Code, Number, Time, cause_of, state_of};
use crate::store::{
    Attempt, AttemptEnd, Epoch, LogLine, Outcome, Page, RunCounts, RunDetail, RunEnd, RunId,
    RunQuery, RunRecord, RunStatus, Stats,
};

/// The most runs of a page.
const MOST_IN_PAGE: usize = 1_000;

/// The columns of a run, and of its latest attempt.
const RUN: &str = "SELECT runs.run, tasks.task, runs.cause, runs.nominal, runs.request, runs.key,
    runs.since, runs.priority, runs.arguments, runs.state, runs.until, runs.stopping,
    runs.attempts, runs.interruptions, runs.crashes, runs.ended, runs.outcome, runs.reason,
    runs.because_of, runs.result, runs.attempt, runs.epoch, builds.build, runs.attempt_began,
    runs.attempt_ended, runs.attempt_outcome, runs.attempt_error,
    coalesce(runs.began, runs.attempt_began), runs.channel
    FROM runs JOIN tasks ON tasks.id = runs.task LEFT JOIN builds ON builds.id = runs.build";

/// Texts that many runs have in common, each once in memory.
#[derive(Debug, Default)]
struct Texts(HashSet<Arc<str>>);

impl Texts {
    fn get(&mut self, row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Arc<str>>> {
        let value = row.get_ref(column)?;
        if value == ValueRef::Null {
            return Ok(None);
        }
        let text = value.as_str()?;
        if let Some(known) = self.0.get(text) {
            return Ok(Some(Arc::clone(known)));
        }
        let new: Arc<str> = text.into();
        self.0.insert(Arc::clone(&new));
        Ok(Some(new))
    }
}

fn run_of(row: &Row<'_>, texts: &mut Texts) -> rusqlite::Result<RunRecord> {
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
        task: texts.get(row, 1)?.unwrap_or_default(),
        cause: cause_of(row, 2, texts.get(row, 28)?)?,
        key: texts.get(row, 5)?,
        since: row.get::<_, Time>(6)?.0,
        priority: row.get(7)?,
        arguments: row.get(8)?,
        status,
        counts: RunCounts {
            attempts: row.get(12)?,
            interruptions: row.get(13)?,
            crashes: row.get(14)?,
        },
        attempt: attempt_of(row, 20, texts)?,
        began: row.get::<_, Option<Time>>(27)?.map(|began| began.0),
    })
}

/// Reads an attempt whose columns begin at this one.
fn attempt_of(row: &Row<'_>, first: usize, texts: &mut Texts) -> rusqlite::Result<Option<Attempt>> {
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
        build: texts.get(row, first + 2)?.unwrap_or_default(),
        at: row.get::<_, Time>(first + 3)?.0,
        end,
    }))
}

/// The runs that have not ended.
pub(super) fn live(db: &Connection) -> rusqlite::Result<Vec<RunRecord>> {
    let mut texts = Texts::default();
    db.prepare_cached(&live_sql())?.query_map([], |row| run_of(row, &mut texts))?.collect()
}

/// The statement for the runs that have not ended.
pub(super) fn live_sql() -> String {
    format!("{RUN} WHERE runs.state < 5 ORDER BY runs.run")
}

/// A page of runs, newest first.
pub(super) fn page(db: &Connection, query: &RunQuery) -> rusqlite::Result<Page<RunRecord>> {
    let limit = query.limit.clamp(1, MOST_IN_PAGE);
    let before = Number(query.before.map_or(u64::MAX, |before| before.0));
    // One more tells whether there is another page.
    let more = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let (task, outcome) = (query.task.as_deref(), query.outcome.map(Code));
    let mut values: Vec<&dyn ToSql> = vec![&before, &more];
    task.iter().for_each(|task| values.push(task));
    outcome.iter().for_each(|outcome| values.push(outcome));
    let mut statement = db.prepare_cached(&page_sql(query))?;
    let mut texts = Texts::default();
    let found = statement.query_map(values.as_slice(), |row| run_of(row, &mut texts))?;
    let mut items = found.collect::<rusqlite::Result<Vec<_>>>()?;
    let has_more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| has_more).map(|last| last.run);
    Ok(Page { items, next })
}

/// The statement for a page. Its values are the cursor, the limit, the task and the outcome.
pub(super) fn page_sql(query: &RunQuery) -> String {
    let mut sql = format!("{RUN} WHERE runs.run < ?1");
    let mut next = 3;
    if query.task.is_some() {
        sql += &format!(" AND runs.task = (SELECT id FROM tasks WHERE task = ?{next})");
        next += 1;
    }
    match query.outcome {
        None => {}
        Some(Outcome::Succeeded) => sql += &format!(" AND runs.outcome = ?{next}"),
        // The second condition lets the index of these runs be used.
        Some(_) => sql += &format!(" AND runs.outcome = ?{next} AND runs.outcome > 0"),
    }
    sql + " ORDER BY runs.run DESC LIMIT ?2"
}

/// A run with all of its attempts.
pub(super) fn detail(db: &Connection, run: RunId) -> rusqlite::Result<Option<RunDetail>> {
    let number = Number::from(run);
    let sql = format!("{RUN} WHERE runs.run = ?1");
    let mut texts = Texts::default();
    let run =
        db.prepare_cached(&sql)?.query_row([number], |row| run_of(row, &mut texts)).optional()?;
    let Some(run) = run else { return Ok(None) };
    let sql = "SELECT attempt, epoch, builds.build, began, ended, outcome, error
        FROM earlier_attempts LEFT JOIN builds ON builds.id = earlier_attempts.build
        WHERE run = ?1 ORDER BY start";
    let mut statement = db.prepare_cached(sql)?;
    let earlier = statement.query_map([number], |row| attempt_of(row, 0, &mut texts))?;
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
