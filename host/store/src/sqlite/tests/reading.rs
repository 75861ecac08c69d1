//! How the file is read.

use super::*;
use crate::{
    conformance::end,
    sqlite::{
        codes::Coded,
        read::{live_sql, page_sql},
    },
    store::Outcome,
};

/// Returns how SQLite executes a statement.
fn plan_of(store: &SqliteStore, sql: &str) -> String {
    let read = |db: &rusqlite::Connection| {
        let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
        // What the values are has no influence on the plan.
        let mut rows = statement.raw_query();
        let mut plan = String::new();
        while let Some(row) = rows.next()? {
            plan += &row.get::<_, String>(3)?;
            plan.push('\n');
        }
        Ok(plan)
    };
    store.readers.read(read).unwrap()
}

#[test]
fn a_page_is_read_without_a_look_at_all_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let outcomes = Outcome::ALL.iter().map(|it| Some(*it)).chain([None]);
    for outcome in outcomes {
        for task in [None, Some("p/a".into())] {
            let query = RunQuery { task, outcome, before: None, limit: 9 };
            let plan = plan_of(&store, &page_sql(&query));
            assert!(plan.contains("SEARCH runs"), "{query:?}: {plan}");
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP"), "{query:?}: {plan}");
            let by_index = if query.task.is_some() || outcome > Some(Outcome::Succeeded) {
                ["runs_task", "runs_unsuccessful"].iter().any(|index| plan.contains(index))
            } else {
                plan.contains("PRIMARY KEY")
            };
            assert!(by_index, "{query:?}: {plan}");
        }
    }
}

#[test]
fn the_runs_that_have_not_ended_are_found_by_their_index() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let plan = plan_of(&store, &live_sql());
    assert!(plan.contains("runs_live") && !plan.contains("TEMP"), "{plan}");
}

#[test]
fn reading_and_writing_do_not_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (store, epoch) = open(folder.path());
    create(&store, epoch, 1).unwrap();
    let during = store.readers.read(|db| {
        let count = || db.query_row("SELECT count(*) FROM runs", [], |row| row.get::<_, i64>(0));
        let before = count()?;
        // It is written while this reader still sees the moment at which it began.
        create(&store, epoch, 2).unwrap();
        store.write_and_wait(epoch, batch([end(1, Outcome::Failed)])).unwrap();
        Ok((before, count()?))
    });
    assert_eq!(during, Ok((1, 1)));
    assert_eq!(live(&store), [2]);
}
