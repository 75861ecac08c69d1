//! Measures how many runs a store in a file takes in a second: `cargo run --release --example
//! store_rate -p hotbay-store -- [RUNS] [FOLDER]`.
//!
//! The life of each run is two batches: its creation and start, then the end of its attempt and of
//! itself. A certain number of runs are on their way at any time. All batches are on the disk before
//! they count, except where it says `Async`.
//!
//! At last it fills a store with a million runs that wait, and measures what one more takes.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of its own, which prints what it measures"
)]

use std::{
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use hotbay_store::{
    sqlite::SqliteStore,
    store::{
        AttemptOutcome, Batch, Durability, Epoch, HostInfo, NewRun, Outcome, Record, RunCause,
        RunId, RunState, Store, Written,
    },
};
use jiff::Timestamp;
use tempfile::TempDir;

type Told = Result<(u64, Half), hotbay_store::store::StoreError>;

/// The number of single steps that are measured in front of a million runs.
const SINGLE: usize = 5_000;

/// The half of the life of a run that a batch has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    First,
    Second,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let runs = match arguments.next() {
        None => Some(200_000),
        // A rate is shown in terms of 32 bits.
        Some(runs) => runs.to_str().and_then(|runs| runs.parse::<u32>().ok()).filter(|it| *it > 0),
    };
    let within = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let Some(runs) = runs else {
        eprintln!("RUNS must be a number from 1 to {}: store_rate [RUNS] [FOLDER]", u32::MAX);
        return ExitCode::FAILURE;
    };
    match measure_all(runs.into(), &within) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the store in {} can't be measured: {error}", within.display());
            ExitCode::FAILURE
        }
    }
}

fn measure_all(runs: u64, within: &Path) -> Result<(), Box<dyn Error>> {
    println!("SQLite {}, {runs} runs each", rusqlite::version());
    for (durability, in_flight) in [
        (Durability::Fsync, 1),
        (Durability::Fsync, 64),
        (Durability::Fsync, 256),
        (Durability::Fsync, 1_024),
        (Durability::Async, 256),
    ] {
        let few = if in_flight == 1 { runs.min(2_000) } else { runs };
        measure(within, few, in_flight, durability)?;
    }
    backlog(within, 1_000_000)
}

/// A new store of which this program is in charge, and tasks for its runs.
struct Scene {
    store: SqliteStore,
    epoch: Epoch,
    tasks: Vec<Arc<str>>,
    /// Removed after the store is dropped.
    _folder: TempDir,
}

impl Scene {
    fn new(within: &Path) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir_in(within)?;
        let store = SqliteStore::open(folder.path())?;
        let epoch = store.open_epoch(&HostInfo::this(), Duration::from_secs(600))?;
        let tasks = (0..100).map(|task| format!("plugin/task_{task}").into()).collect();
        Ok(Self { store, epoch, tasks, _folder: folder })
    }

    /// Returns the task of a run.
    fn task(&self, run: u64) -> &Arc<str> {
        &self.tasks[usize::try_from(run).unwrap_or_default() % self.tasks.len()]
    }
}

/// Measures what happens to single runs in front of many that wait.
fn backlog(within: &Path, runs: u64) -> Result<(), Box<dyn Error>> {
    let scene = Scene::new(within)?;
    let (store, epoch) = (&scene.store, scene.epoch);
    let begin = Instant::now();
    for first in (1..=runs).step_by(1_000) {
        let records = (first..first + 1_000).map(|run| created(run, scene.task(run)));
        let batch = Batch { records: records.collect(), durability: Durability::Async };
        store.write_and_wait(epoch, batch)?;
    }
    println!("{runs} runs created in {:.1?}, a thousand at a time", begin.elapsed());
    let at = Timestamp::now();
    let ended = |run| {
        let (outcome, reason, by, result) = (Outcome::Cancelled, None, None, None);
        Record::Ended { run: RunId(run), at, outcome, reason, by, result }
    };
    let started = |run| {
        let build = Arc::from("build");
        Record::Started { run: RunId(run), attempt: 1, at, build }
    };
    let one = |name: &str, record: &dyn Fn(u64) -> Record| -> Result<(), Box<dyn Error>> {
        let mut taken = Vec::new();
        for run in 1..=SINGLE as u64 {
            let begin = Instant::now();
            let batch = Batch { records: vec![record(run)], durability: Durability::Async };
            store.write_and_wait(epoch, batch)?;
            taken.push(begin.elapsed());
        }
        taken.sort();
        println!(
            "{name:9}: median {:.1?}, p99 {:.1?}, the longest {:.1?}",
            taken[SINGLE / 2],
            taken[SINGLE * 99 / 100],
            taken[SINGLE - 1]
        );
        Ok(())
    };
    one("create", &|run| created(runs + run, scene.task(run)))?;
    one("start", &|run| started(run * 199))?;
    one("cancel", &|run| ended(run * 199 + 1))?;
    let begin = Instant::now();
    let live = store.live_runs()?.len();
    println!("{live} live runs read in {:.1?}", begin.elapsed());
    println!("{:?}", store.stats()?);
    Ok(())
}

fn created(run: u64, task: &Arc<str>) -> Record {
    Record::Created(Box::new(NewRun {
        run: RunId(run),
        task: Arc::clone(task),
        cause: RunCause::Request(run),
        key: None,
        since: Timestamp::now(),
        priority: [-100, 0, 100][usize::try_from(run % 3).unwrap_or_default()],
        arguments: None,
        state: RunState::Queued,
    }))
}

fn measure(
    within: &Path,
    runs: u64,
    in_flight: u64,
    durability: Durability,
) -> Result<(), Box<dyn Error>> {
    let scene = Scene::new(within)?;
    let (store, epoch) = (&scene.store, scene.epoch);
    let build: Arc<str> = "0".repeat(64).into();
    let (send, told) = mpsc::channel();
    let write = |run: u64, half| {
        let batch = batch(run, half, scene.task(run), &build, durability);
        write(store, epoch, batch, (run, half), send.clone());
    };
    let begin = Instant::now();
    let mut next = 1;
    while next <= in_flight.min(runs) {
        write(next, Half::First);
        next += 1;
    }
    let mut ended = 0;
    while ended < runs {
        let (run, half) = told.recv()??;
        if half == Half::First {
            write(run, Half::Second);
            continue;
        }
        ended += 1;
        if next <= runs {
            write(next, Half::First);
            next += 1;
        }
    }
    let taken = begin.elapsed();
    let stats = store.stats()?;
    println!(
        "{durability:?}, {in_flight:4} in flight: {:7.0} runs/s, {:4} bytes/run, WAL {} MiB",
        per_second(runs, taken),
        (stats.file_bytes - stats.free_bytes) / runs,
        stats.wal_bytes >> 20,
    );
    Ok(())
}

fn per_second(runs: u64, taken: Duration) -> f64 {
    let micros = u32::try_from(taken.as_micros()).map_or(f64::INFINITY, f64::from);
    u32::try_from(runs).map_or(f64::NAN, f64::from) / micros * 1e6
}

fn write(
    store: &SqliteStore,
    epoch: Epoch,
    batch: Batch,
    (run, half): (u64, Half),
    told: mpsc::Sender<Told>,
) {
    let done = move |result: Result<Written, _>| {
        // The receiver is gone only after an error, which it has told.
        told.send(result.map(|_| (run, half))).unwrap_or(());
    };
    store.write(epoch, batch, Box::new(done));
}

fn batch(run: u64, half: Half, task: &Arc<str>, build: &Arc<str>, durability: Durability) -> Batch {
    let (at, id) = (Timestamp::now(), RunId(run));
    let records = match half {
        Half::First => vec![
            created(run, task),
            Record::Started { run: id, attempt: 1, at, build: Arc::clone(build) },
        ],
        Half::Second => vec![
            Record::AttemptEnded {
                run: id,
                attempt: 1,
                at,
                outcome: AttemptOutcome::Succeeded,
                error: None,
            },
            Record::Ended {
                run: id,
                at,
                outcome: Outcome::Succeeded,
                reason: None,
                by: None,
                result: None,
            },
        ],
    };
    Batch { records, durability }
}
