//! A host that does a thousand runs in each second, and forgets them again.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hotbay::config::History;
use hotbay_plugin_api::Durability;
use hotbay_tasks::TaskRequest;
use hotbay_tests::proc::Holdings;
use serde_json::json;
use tempfile::tempdir;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::host::{Host, NOTHING};

/// The number of runs that are asked for at once, ten times in a second.
const GROUP: u64 = 100;
/// How many runs are kept.
const KEPT: usize = 20_000;
/// By how much the highest resident memory, and the highest size of the files, of the second half may
/// exceed those of the first half.
const MOST_GROWN: u64 = 8 << 20;

/// Runs for `HOTBAY_SOAK_MINUTES` minutes, which are 30 by default.
pub(super) async fn run() {
    let minutes = std::env::var("HOTBAY_SOAK_MINUTES");
    let minutes: u32 =
        minutes.map_or(30, |it| it.parse().expect("HOTBAY_SOAK_MINUTES is a number"));
    assert!(
        minutes >= 2,
        "HOTBAY_SOAK_MINUTES is at least 2, for one half is compared with the other"
    );
    let folder = tempdir().expect("there is room for a folder");
    let mut host = Host::new(Some(folder.path())).await;
    host.keep(History { max_runs: KEPT, keep_at_least: 100, ..History::default() });
    let tasks = host.prepare(|spec| spec.durability = Durability::Fsync);
    host.begin(tasks);
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let asking = tokio::spawn(ask(host.control(), Arc::clone(&stop), Arc::clone(&asked)));
    let (began, each) = (Instant::now(), Duration::from_secs(60));
    let (mut before, mut early, mut late) = (0, None, None);
    for minute in 1..=minutes {
        sleep((each * minute).saturating_sub(began.elapsed())).await;
        let done = host.succeeded().await;
        let now = (Holdings::of_process(std::process::id()).resident, size(folder.path()));
        println!(
            "soak: minute {minute}: {} runs/s, {} MiB resident, {} MiB of files",
            (done - before) / 60,
            now.0 >> 20,
            now.1 >> 20
        );
        before = done;
        // The highest of some minutes: both breathe with the removal of runs.
        let highest = if minute <= minutes.div_ceil(2) { &mut early } else { &mut late };
        let (resident, files) = highest.unwrap_or_default();
        *highest = Some((now.0.max(resident), now.1.max(files)));
    }
    stop.store(true, Ordering::Relaxed);
    asking.await.expect("all runs were accepted");
    let asked = asked.load(Ordering::Relaxed);
    while host.succeeded().await < asked {
        sleep(Duration::from_millis(10)).await;
    }
    host.stop().await;
    println!("soak: {asked} runs asked for, all of them done");
    let (Some(early), Some(late)) = (early, late) else { return };
    let grown = |early: u64, late: u64| (late.saturating_sub(early)) >> 10;
    println!(
        "soak: the highest of the second half over that of the first: {} KiB resident, {} KiB of files",
        grown(early.0, late.0),
        grown(early.1, late.1)
    );
    assert!(late.0 <= early.0 + MOST_GROWN && late.1 <= early.1 + MOST_GROWN, "it grows");
}

/// Asks for runs until it is told to stop.
async fn ask(control: hotbay_tasks::TaskControl, stop: Arc<AtomicBool>, asked: Arc<AtomicU64>) {
    let mut ticks = interval(Duration::from_millis(100));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        let runs = (0..GROUP).map(|_| {
            let (task, arguments) = (NOTHING.to_owned(), json!({}));
            control.ask(TaskRequest::Run { task, arguments, forced: false })
        });
        for accepted in futures_util::future::join_all(runs).await {
            accepted.expect("the run is accepted");
        }
        asked.fetch_add(GROUP, Ordering::Relaxed);
    }
}

/// Returns the size of the files in a folder in bytes.
fn size(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| Some(file.metadata().ok()?.len())).sum()
}
