//! How many files are examined at the same time.
//!
//! The copies and the probes of many files at once would slow each other down, until good libraries
//! miss their time limit. So only some of them are busy at a time. But a library that hangs must not
//! take the place of a good one: an examination that takes longer than [`SLOW`] does not count as
//! busy any more, and only the number of all examinations is limited then.

use std::{pin::pin, thread::available_parallelism, time::Duration};

use tokio::{sync::Semaphore, time::timeout};

/// The time after which an examination gives its place to another one. Most take a tenth of it.
pub(crate) const SLOW: Duration = Duration::from_millis(100);

/// The number of examinations, and so of probe processes, at the same time, busy or not.
const ALL: usize = 64;

/// The places for examinations.
#[derive(Debug)]
pub(crate) struct Slots {
    busy: Semaphore,
    all: Semaphore,
}

impl Slots {
    pub(crate) fn new() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self { busy: Semaphore::new(4 * cores), all: Semaphore::new(ALL) }
    }

    /// Waits for a place, and then for the work.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        // The semaphores are never closed, so acquiring a place does not fail.
        let _place = self.all.acquire().await;
        let busy = self.busy.acquire().await;
        let mut work = pin!(work);
        if let Ok(done) = timeout(SLOW, &mut work).await {
            return done;
        }
        drop(busy);
        work.await
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, sync::Arc};

    use tokio::{task::JoinSet, time::Instant};

    use super::*;

    fn slots(busy: usize, all: usize) -> Arc<Slots> {
        Arc::new(Slots { busy: Semaphore::new(busy), all: Semaphore::new(all) })
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_hangs_does_not_hold_up_other_work() {
        let (slots, mut hanging) = (slots(4, ALL), JoinSet::new());
        let began = Instant::now();
        for _ in 0..24 {
            let slots = Arc::clone(&slots);
            hanging.spawn(async move { slots.run(pending::<()>()).await });
        }
        tokio::task::yield_now().await;
        slots.run(async {}).await;
        assert_eq!(began.elapsed().as_millis() / SLOW.as_millis(), 24 / 4);
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_are_under_way_at_all() {
        let (slots, mut work) = (slots(2, 3), JoinSet::new());
        let began = Instant::now();
        for _ in 0..5 {
            let slots = Arc::clone(&slots);
            work.spawn(
                async move { slots.run(async { tokio::time::sleep(SLOW * 10).await }).await },
            );
        }
        while work.join_next().await.is_some() {}
        // Three at first, of which the third began when the others were slow, and then two.
        assert!(began.elapsed() >= SLOW * 20, "{:?}", began.elapsed());
    }
}
