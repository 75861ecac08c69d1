//! Measures how many tasks that do nothing apalis 1 does in a second: `peer-apalis MODE TASKS`, with
//! `memory`, `shipped` or `full` for MODE.
//!
//! Prints the tasks per second until nine tenths of them were done, and in the best second. The last
//! ones are left out, and the best second is shown, because the SQLite store of version 1.0.0 often
//! does nothing for half a minute although tasks are pending.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use apalis::prelude::{BackendExt, BoxDynError, Task, TaskSink, WorkerBuilder, WorkerBuilderExt};
use apalis_core::backend::memory::{MemorySink, MemoryStorage, MemoryStorageError};
use apalis_sqlite::{Config, SqliteStorage};
use futures::{SinkExt, StreamExt};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

/// The number of tasks that run at once.
const AT_ONCE: usize = 256;
/// The number of futures that push tasks into the store. More of them make it slower.
const SUBMITTERS: u64 = 8;
/// How long one measurement takes at most.
const LIMIT: Duration = Duration::from_secs(120);

static DONE: AtomicU64 = AtomicU64::new(0);

async fn nothing(_: u64) -> Result<(), BoxDynError> {
    DONE.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().ok_or("a mode is missing")?;
    let tasks = arguments.next().ok_or("the number of tasks is missing")?.parse()?;
    match &*mode {
        "memory" => in_memory(tasks).await,
        "shipped" => in_sqlite(tasks, None).await,
        "full" => in_sqlite(tasks, Some(SqliteSynchronous::Full)).await,
        other => Err(format!("there is no mode `{other}`").into()),
    }
}

async fn in_memory(tasks: u64) -> Result<(), Box<dyn Error>> {
    let (sender, receiver) = futures::channel::mpsc::unbounded();
    let sender = Box::new(sender.sink_map_err(MemoryStorageError::from));
    let mut sink = MemorySink::new(Arc::new(futures::lock::Mutex::new(sender)));
    let backend = MemoryStorage::new_with(sink.clone(), receiver.boxed());
    let worker = WorkerBuilder::new("peer").backend(backend).concurrency(AT_ONCE).build(nothing);
    let worker = tokio::spawn(worker.run());
    let rates = Rates::new();
    tokio::spawn(async move {
        for task in 0..tasks {
            sink.send(Task::new(task)).await.expect("the channel is open");
        }
    });
    rates.until(tasks, async || Ok(DONE.load(Ordering::Relaxed))).await?;
    worker.abort();
    Ok(())
}

async fn in_sqlite(
    tasks: u64,
    synchronous: Option<SqliteSynchronous>,
) -> Result<(), Box<dyn Error>> {
    let options = SqliteConnectOptions::new().filename("peer.db").create_if_missing(true);
    let mut pool = SqlitePool::connect_with(options.clone()).await?;
    // Switches to `synchronous=OFF`, in one connection of the pool.
    SqliteStorage::setup(&pool).await?;
    if let Some(synchronous) = synchronous {
        pool.close().await;
        let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(synchronous);
        pool = SqlitePoolOptions::new().connect_with(options).await?;
    }
    let config = Config::default().queue("peer");
    let sink = SqliteStorage::<u64>::new(&pool).with_config(config);
    // By default it would ask for tasks at its heartbeats only.
    let backend = sink.clone().poll_with_interval(Duration::from_millis(2));
    let worker = WorkerBuilder::new("peer").backend(backend).concurrency(AT_ONCE).build(nothing);
    let worker = tokio::spawn(worker.run());
    let rates = Rates::new();
    for submitter in 0..SUBMITTERS {
        let mut sink = sink.clone();
        tokio::spawn(async move {
            for task in (submitter..tasks).step_by(SUBMITTERS as usize) {
                // A store that is locked has not taken the task.
                while sink.push(task).await.is_err() {}
            }
        });
    }
    let done = "SELECT count(*) FROM Jobs WHERE status = 'Done'";
    let done =
        async || Ok(sqlx::query_scalar::<_, i64>(done).fetch_one(&pool).await?.unsigned_abs());
    rates.until(tasks * 9 / 10, done).await?;
    worker.abort();
    Ok(())
}

struct Rates(Instant);

impl Rates {
    fn new() -> Self {
        Self(Instant::now())
    }

    /// Waits until this number of tasks is done, and prints the rates.
    async fn until(
        self,
        tasks: u64,
        done: impl AsyncFn() -> Result<u64, Box<dyn Error>>,
    ) -> Result<(), Box<dyn Error>> {
        let per_second = |tasks: u64, time: Duration| tasks as f64 / time.as_secs_f64();
        let (mut best, mut second) = (0_f64, (self.0, 0));
        let all = loop {
            let all = done().await?;
            let now = Instant::now();
            let (elapsed, since) = (now - self.0, now - second.0);
            if since >= Duration::from_secs(1) {
                best = best.max(per_second(all - second.1, since));
                second = (now, all);
            }
            if all >= tasks || elapsed > LIMIT {
                break all;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let rate = per_second(all, self.0.elapsed());
        println!("{rate} {}", best.max(rate));
        Ok(())
    }
}
