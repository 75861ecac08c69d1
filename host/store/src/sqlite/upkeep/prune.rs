//! Removing runs that are not kept any longer, a few at a time.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension};

use crate::{
    clock,
    sqlite::{
        apply::Memory,
        codes::{ENDED, nanoseconds},
        failure::Fault,
        writer::Writer,
    },
    store::{Durability, Epoch, Pruned, Retention, StoreError},
};

/// The most tasks that are looked at in one transaction.
const TASKS: i64 = 200;
/// The most runs of a task that are looked at, oldest first. Some of them may not have ended.
const EXAMINED: i64 = 2_000;
/// After this many runs that are kept, the later ones of a task are taken to be kept as well.
const KEPT_IN_A_ROW: u32 = 8;
/// The number of free pages of 4 KiB that the file keeps for what comes next.
const FREE_PAGES: i64 = 1_024;
/// The most pages that are given back at once.
const PAGES_GIVEN_BACK: i64 = 512;

/// Where the sweep over all tasks has come to.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::sqlite) struct Sweep {
    /// The tasks up to this number are done.
    done: i64,
}

/// Removes at most `limit` runs, and gives back room.
pub(in crate::sqlite) fn prune(
    writer: &mut Writer,
    epoch: Epoch,
    retention: Retention,
    limit: usize,
) -> Result<Pruned, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX).max(1);
    let sweep = writer.sweep;
    let keep = Keep::new(retention);
    let (sweep, pruned) = writer
        .in_epoch(epoch, Durability::Async, |db, memory| sweep.go_on(db, memory, keep, limit))?;
    writer.sweep = sweep;
    writer.with_connection(give_back)?;
    Ok(pruned)
}

/// Makes the file smaller, if much of it is free.
fn give_back(db: &Connection) -> rusqlite::Result<()> {
    let pages = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let kept = FREE_PAGES.max(pages("page_count")? / 8);
    let given_back = (pages("freelist_count")? - kept).min(PAGES_GIVEN_BACK);
    if given_back > 0 {
        // Each row is a page that was given back.
        let mut pages = db.prepare(&format!("PRAGMA incremental_vacuum({given_back})"))?;
        let mut given_back = pages.query([])?;
        while given_back.next()?.is_some() {}
    }
    Ok(())
}

/// Which runs are kept, in terms of the file.
#[derive(Debug, Clone, Copy)]
struct Keep {
    /// Runs that ended before are removed.
    since: i64,
    most: i64,
    least: i64,
}

impl Keep {
    fn new(retention: Retention) -> Self {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let since = retention.max_age.map(|age| {
            let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
            nanoseconds(clock::now().saturating_sub(age).unwrap_or(Timestamp::MIN))
        });
        Self {
            since: since.unwrap_or(i64::MIN),
            most: retention.max_runs_per_task.map_or(i64::MAX, number),
            // The newest run of all must stay, because its number is the last one used.
            least: number(retention.keep_at_least.max(1)),
        }
    }
}

impl Sweep {
    fn go_on(
        mut self,
        db: &Connection,
        memory: &mut Memory,
        keep: Keep,
        limit: i64,
    ) -> Result<(Self, Pruned), Fault> {
        let sql = "SELECT id, kept FROM tasks WHERE id > ?1 AND kept > ?2 ORDER BY id LIMIT ?3";
        let mut statement = db.prepare_cached(sql)?;
        let tasks = statement.query_map((self.done, keep.least, TASKS), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })?;
        let tasks = tasks.collect::<rusqlite::Result<Vec<_>>>()?;
        let (mut runs, mut looked_at) = (0, 0);
        for (task, kept) in tasks {
            let most = limit - runs;
            let removed = remove_of_task(db, memory, keep, (task, kept), most)?;
            runs += removed;
            if removed == most {
                // There may be more of this task.
                self.done = task - 1;
                return Ok((self, pruned(runs, true)));
            }
            self.done = task;
            looked_at += 1;
        }
        if looked_at < TASKS {
            self.done = 0;
        }
        Ok((self, pruned(runs, looked_at == TASKS)))
    }
}

fn pruned(runs: i64, has_more: bool) -> Pruned {
    Pruned { runs: u64::try_from(runs).unwrap_or_default(), has_more }
}

/// Removes runs of one task, at most `most`, and returns their number.
fn remove_of_task(
    db: &Connection,
    memory: &mut Memory,
    keep: Keep,
    (task, kept): (i64, i64),
    most: i64,
) -> rusqlite::Result<i64> {
    let runs = not_kept(db, keep, (task, kept), most)?;
    let mut of_run = db.prepare_cached("DELETE FROM runs WHERE run = ?1 RETURNING starts > 1")?;
    let mut of_attempts = db.prepare_cached("DELETE FROM earlier_attempts WHERE run = ?1")?;
    let mut of_log = db.prepare_cached("DELETE FROM logs WHERE run = ?1")?;
    for run in &runs {
        let had_others = of_run.query_row([run], |row| row.get(0)).optional()?;
        if had_others == Some(true) {
            of_attempts.execute([run])?;
        }
        let lines = of_log.execute([run])?;
        memory.counts.totals.log_lines -= i64::try_from(lines).unwrap_or_default();
    }
    let removed = i64::try_from(runs.len()).unwrap_or_default();
    if removed > 0 {
        memory.counts.removed(task, removed);
    }
    Ok(removed)
}

/// Finds runs of a task that are not kept, oldest first, at most `most`.
fn not_kept(
    db: &Connection,
    keep: Keep,
    (task, kept): (i64, i64),
    most: i64,
) -> rusqlite::Result<Vec<i64>> {
    let most = most.min(kept - keep.least);
    let mut beyond = kept.saturating_sub(keep.most).max(0);
    let mut statement = db.prepare_cached(
        "SELECT run, state, ended FROM runs WHERE task = ?1 ORDER BY run LIMIT ?2",
    )?;
    let mut rows = statement.query((task, EXAMINED))?;
    let (mut found, mut kept_in_a_row) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        if i64::try_from(found.len()).is_ok_and(|found| found >= most)
            || kept_in_a_row >= KEPT_IN_A_ROW
        {
            break;
        }
        if row.get::<_, i64>(1)? != ENDED {
            continue;
        }
        if beyond > 0 || row.get::<_, i64>(2)? < keep.since {
            beyond -= 1;
            kept_in_a_row = 0;
            found.push(row.get(0)?);
        } else {
            kept_in_a_row += 1;
        }
    }
    Ok(found)
}
