//! Reading tasks.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    sqlite::codes::{Number, Time},
    store::{Edge, MissedRecord, OutcomeCounts, RunId, TaskRecord},
};

const TASK: &str = "SELECT task, schedule, anchor, cursor, paused, enabled, succeeded, failed,
    timed_out, cancelled, replaced, parked, skipped, missed, id FROM tasks";

const EDGE: &str = "SELECT upstream, consumed, latest, failure, task FROM edges";

fn task_of(row: &Row<'_>) -> rusqlite::Result<(i64, TaskRecord)> {
    let time =
        |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<Time>>(column)?.map(|it| it.0));
    let count = |column| Ok::<_, rusqlite::Error>(row.get::<_, Number>(column)?.0);
    let counts = OutcomeCounts {
        succeeded: count(6)?,
        failed: count(7)?,
        timed_out: count(8)?,
        cancelled: count(9)?,
        replaced: count(10)?,
        parked: count(11)?,
        skipped: count(12)?,
        missed: count(13)?,
    };
    let task = TaskRecord {
        task: row.get(0)?,
        schedule: row.get(1)?,
        anchor: time(2)?,
        cursor: time(3)?,
        paused: row.get(4)?,
        enabled: row.get(5)?,
        edges: Vec::new(),
        counts,
    };
    Ok((row.get(14)?, task))
}

fn edge_of(row: &Row<'_>) -> rusqlite::Result<Edge> {
    let run = |column| {
        let number: Option<Number> = row.get(column)?;
        Ok::<_, rusqlite::Error>(number.map(RunId::from))
    };
    let failure = row.get(3)?;
    Ok(Edge {
        upstream: row.get(0)?,
        consumed: run(1)?,
        latest: run(2)?.map(|latest| (latest, failure)),
    })
}

/// All tasks, in the order of their ids.
pub(in crate::sqlite) fn all(db: &Connection) -> rusqlite::Result<Vec<TaskRecord>> {
    let mut edges: HashMap<i64, Vec<Edge>> = HashMap::new();
    let mut statement = db.prepare_cached(EDGE)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        edges.entry(row.get(4)?).or_default().push(edge_of(row)?);
    }
    let sql = format!("{TASK} ORDER BY task");
    let mut statement = db.prepare_cached(&sql)?;
    let tasks = statement.query_map([], task_of)?;
    tasks
        .map(|found| {
            let (id, mut task) = found?;
            task.edges = edges.remove(&id).unwrap_or_default();
            Ok(task)
        })
        .collect()
}

/// One task.
pub(in crate::sqlite) fn one(db: &Connection, task: &str) -> rusqlite::Result<Option<TaskRecord>> {
    let sql = format!("{TASK} WHERE task = ?1");
    let Some((id, mut task)) = db.prepare_cached(&sql)?.query_row([task], task_of).optional()?
    else {
        return Ok(None);
    };
    let sql = format!("{EDGE} WHERE task = ?1");
    task.edges =
        db.prepare_cached(&sql)?.query_map([id], edge_of)?.collect::<rusqlite::Result<_>>()?;
    Ok(Some(task))
}

/// The missed runs of a task, newest first.
pub(in crate::sqlite) fn missed(
    db: &Connection,
    task: &str,
    limit: usize,
) -> rusqlite::Result<Vec<MissedRecord>> {
    let sql = "SELECT at, count, is_counted, first, last FROM missed
        WHERE task = (SELECT id FROM tasks WHERE task = ?1) ORDER BY number DESC LIMIT ?2";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    db.prepare_cached(sql)?
        .query_map(params![task, limit], |row| {
            let time = |column| Ok::<_, rusqlite::Error>(row.get::<_, Time>(column)?.0);
            Ok(MissedRecord {
                at: time(0)?,
                count: row.get::<_, Number>(1)?.0,
                is_counted: row.get(2)?,
                first: time(3)?,
                last: time(4)?,
            })
        })?
        .collect()
}
