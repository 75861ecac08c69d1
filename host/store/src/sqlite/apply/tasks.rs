//! Records about tasks.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::params;

use super::Apply;
use crate::{
    sqlite::{
        codes::{Number, Time},
        failure::Fault,
    },
    store::{Edge, TaskChange},
};

/// The number of records of missed runs that are kept of each task.
const MISSED_KEPT: i64 = 100;

impl Apply<'_> {
    pub(super) fn task(&mut self, task: &Arc<str>, change: &TaskChange) -> Result<(), Fault> {
        let id = self.memory.tasks.id(self.db, task)?;
        let db = self.db;
        match change {
            TaskChange::Schedule { text, anchor } => db
                .prepare_cached("UPDATE tasks SET schedule = ?2, anchor = ?3 WHERE id = ?1")?
                .execute(params![id, text, anchor.map(Time)])?,
            TaskChange::Cursor(at) => self.cursor(id, *at)?,
            TaskChange::Reset(at) => {
                let sql = "UPDATE runs SET comes_again = 1 WHERE task = ?1 AND nominal > ?2 AND
                     nominal IS NOT NULL AND comes_again = 0";
                db.prepare_cached(sql)?.execute(params![id, Time(*at)])?;
                self.cursor(id, *at)?
            }
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

    fn cursor(&self, task: i64, at: Timestamp) -> rusqlite::Result<usize> {
        self.db
            .prepare_cached("UPDATE tasks SET cursor = ?2 WHERE id = ?1")?
            .execute(params![task, Time(at)])
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

    pub(super) fn missed(
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
}
