//! Whole runs of a task that does nothing: submitted, stored, started, ended, stored. Beside them,
//! the same through apalis, which `tests/peers/apalis` measures.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hotbay_plugin_api::Durability;
use hotbay_tasks::{TaskControl, TaskRequest};
use serde_json::json;
use tempfile::tempdir;
use tokio::{task::JoinSet, time::sleep};

use super::host::{Host, NOTHING};

const ROUNDS: usize = 3;
/// The number of runs that are being submitted at any time.
const SUBMITTERS: usize = 1_024;

pub(super) async fn run() {
    let peer = build_peer();
    let apalis =
        |mode: &str, runs: u64| peer.as_deref().and_then(|peer| measure_peer(peer, mode, runs));
    let (mut memory, mut fsync) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let own = measure(Durability::Memory, 500_000).await;
        memory.push(("in memory", own, apalis("memory", 500_000)));
        let own = measure(Durability::Fsync, 100_000).await;
        fsync.push(("fsync", own, apalis("full", 2_000)));
        fsync.push(("fsync", own, apalis("shipped", 5_000)));
    }
    for (what, own, peer) in memory.into_iter().chain(fsync) {
        print!("runs: {what}: {own:.0} runs/s");
        match peer {
            Some(Rate { mode, rate, best }) => println!(
                "; apalis {mode}: {rate:.0}, in its best second {best:.0}: {:.1} and {:.1} times as many",
                own / rate,
                own / best,
            ),
            None => println!("; apalis could not be measured"),
        }
    }
}

/// Returns how many runs a host does in a second.
async fn measure(durability: Durability, runs: u64) -> f64 {
    let folder = tempdir().expect("there is room for a folder");
    let stored = (durability != Durability::Memory).then(|| folder.path());
    let mut host = Host::new(stored).await;
    let tasks = host.prepare(|spec| spec.durability = durability);
    host.begin(tasks);
    let began = Instant::now();
    submit(&host.control(), runs).await;
    while host.succeeded().await < runs {
        sleep(Duration::from_millis(1)).await;
    }
    let rate = runs as f64 / began.elapsed().as_secs_f64();
    host.stop().await;
    rate
}

/// Submits this number of runs, and waits until each is accepted.
async fn submit(control: &TaskControl, runs: u64) {
    let submitted = Arc::new(AtomicU64::new(0));
    let mut submitters = JoinSet::new();
    for _ in 0..SUBMITTERS {
        let (control, submitted) = (control.clone(), Arc::clone(&submitted));
        submitters.spawn(async move {
            while submitted.fetch_add(1, Ordering::Relaxed) < runs {
                let (task, arguments) = (NOTHING.to_owned(), json!({}));
                let run = TaskRequest::Run { task, arguments, forced: false };
                control.ask(run).await.expect("the run is accepted");
            }
        });
    }
    submitters.join_all().await;
}

/// What apalis does, in runs per second.
struct Rate {
    mode: &'static str,
    /// From the first submission until nine tenths of the runs have ended.
    rate: f64,
    best: f64,
}

/// Builds the program that measures apalis. Returns its path.
///
/// It is a workspace of its own, because the SQLite of apalis can't be linked beside this one.
fn build_peer() -> Option<PathBuf> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = tests.join("../target/peers");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--quiet", "--locked", "--target-dir"])
        .arg(&target)
        .current_dir(tests.join("peers/apalis"))
        .status();
    built.is_ok_and(|status| status.success()).then(|| target.join("release/peer-apalis"))
}

fn measure_peer(peer: &Path, mode: &str, runs: u64) -> Option<Rate> {
    let folder = tempdir().ok()?;
    let measured = Command::new(peer)
        .args([mode, &runs.to_string()])
        .current_dir(folder.path())
        .output()
        .ok()?;
    let text = String::from_utf8(measured.stdout).ok()?;
    let mut rates = text.split_whitespace().map(str::parse);
    let mode = match mode {
        "memory" => "in memory",
        "full" => "with synchronous=FULL",
        _ => "as shipped (synchronous=OFF)",
    };
    Some(Rate { mode, rate: rates.next()?.ok()?, best: rates.next()?.ok()? })
}
