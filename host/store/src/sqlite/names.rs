//! Numbers for names that many rows have in common.

use std::{collections::HashMap, sync::Arc};

use rusqlite::{Connection, OptionalExtension};

/// The names of a table, as far as they were needed, with their numbers.
#[derive(Debug)]
pub(super) struct Names {
    ids: HashMap<Arc<str>, i64>,
    /// Those that the transaction may have inserted.
    new: Vec<Arc<str>>,
    select: &'static str,
    insert: &'static str,
}

impl Names {
    /// The ids of tasks.
    pub(super) fn of_tasks() -> Self {
        Self::new(
            "SELECT id FROM tasks WHERE task = ?1",
            "INSERT INTO tasks (task) VALUES (?1) RETURNING id",
        )
    }

    /// The builds of plugins.
    pub(super) fn of_builds() -> Self {
        Self::new(
            "SELECT id FROM builds WHERE build = ?1",
            "INSERT INTO builds (build) VALUES (?1) RETURNING id",
        )
    }

    fn new(select: &'static str, insert: &'static str) -> Self {
        Self { ids: HashMap::new(), new: Vec::new(), select, insert }
    }

    /// Returns the number of a name, which is inserted if it is new.
    pub(super) fn id(&mut self, db: &Connection, name: &Arc<str>) -> rusqlite::Result<i64> {
        if let Some(id) = self.ids.get(name) {
            return Ok(*id);
        }
        let number = |sql| db.prepare_cached(sql)?.query_row([name], |row| row.get(0));
        let id = match number(self.select).optional()? {
            Some(id) => id,
            None => number(self.insert)?,
        };
        self.ids.insert(Arc::clone(name), id);
        self.new.push(Arc::clone(name));
        Ok(id)
    }

    /// Returns the mark of the present moment, to which [`Names::roll_back`] returns.
    pub(super) fn mark(&self) -> usize {
        self.new.len()
    }

    /// Forgets the names that were used first after a mark.
    pub(super) fn roll_back(&mut self, mark: usize) {
        for name in self.new.drain(mark..) {
            self.ids.remove(&name);
        }
    }

    /// Keeps all names: they are in the file.
    pub(super) fn commit(&mut self) {
        self.new.clear();
    }
}
