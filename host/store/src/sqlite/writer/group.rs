//! Writing the batches of a group, in one transaction.

use rusqlite::Connection;

use super::{Writer, check_epoch, newest_epoch};
use crate::{
    sqlite::{
        apply::{Apply, Memory},
        failure::Fault,
        queue::Queued,
    },
    store::{Batch, Epoch, StoreError, Written},
};

/// How an error of one batch is kept from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Isolation {
    /// Not at all: the transaction fails.
    None,
    /// By a savepoint for each batch.
    Savepoints,
}

impl Writer {
    /// Writes batches, and returns what became of each.
    pub(super) fn write_group(&mut self, group: &[Queued]) -> Vec<Result<Written, StoreError>> {
        // Savepoints cost time, and hardly any batch has an error.
        let mut results = self.write_all(group, Isolation::None);
        if let Err(StoreError::Conflict(_)) = results {
            results = self.write_all(group, Isolation::Savepoints);
        }
        results.unwrap_or_else(|error| group.iter().map(|_| Err(error.clone())).collect())
    }

    fn write_all(
        &mut self,
        group: &[Queued],
        isolation: Isolation,
    ) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
        let durability = group.iter().map(|it| it.batch.durability).max().unwrap_or_default();
        self.transaction(durability, |db, memory| {
            let newest = newest_epoch(db)?;
            let write = |queued: &Queued| {
                let epoch = queued.epoch;
                match check_epoch(newest, epoch) {
                    Err(Fault::Own(fenced)) => Ok(Err(fenced)),
                    Err(fault @ Fault::File(_)) => Err(fault),
                    Ok(()) if isolation == Isolation::None => {
                        Ok(Ok(write_batch(db, memory, epoch, &queued.batch)?))
                    }
                    Ok(()) => write_isolated(db, memory, epoch, &queued.batch),
                }
            };
            group.iter().map(write).collect()
        })
    }
}

fn write_batch(
    db: &Connection,
    memory: &mut Memory,
    epoch: Epoch,
    batch: &Batch,
) -> Result<Written, Fault> {
    let mut apply = Apply { db, memory, epoch, written: Written::default() };
    batch.records.iter().try_for_each(|record| apply.record(record))?;
    Ok(apply.written)
}

/// Writes a batch within a savepoint. The outer error is that of the transaction.
fn write_isolated(
    db: &Connection,
    memory: &mut Memory,
    epoch: Epoch,
    batch: &Batch,
) -> Result<Result<Written, StoreError>, Fault> {
    let mark = memory.mark();
    db.prepare_cached("SAVEPOINT batch")?.execute([])?;
    let result = match write_batch(db, memory, epoch, batch) {
        Ok(written) => Ok(written),
        Err(Fault::Own(error)) => {
            db.prepare_cached("ROLLBACK TO batch")?.execute([])?;
            memory.roll_back(mark);
            Err(error)
        }
        Err(fault @ Fault::File(_)) => return Err(fault),
    };
    db.prepare_cached("RELEASE batch")?.execute([])?;
    Ok(result)
}
