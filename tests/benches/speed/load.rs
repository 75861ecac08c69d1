//! How long a plugin takes to come and go, and how the host starts.

use std::time::{Duration, Instant};

use hotbay_tests::{PluginsFolder, Run, Signal, hotbay, proc::Holdings, workspace};

use super::sample::{load, loader, median};

const EMA: [&str; 4] = ["market-sample", "market-aggregator", "ema-cross", "paper-executor"];

pub(crate) async fn run() {
    let loader = loader();
    let (mut loads, mut closes) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        let began = Instant::now();
        let plugin = load(&loader, "hello").await;
        loads.push(began.elapsed());
        let began = Instant::now();
        plugin.close(Duration::from_secs(5)).await;
        closes.push(began.elapsed());
    }
    println!(
        "load      probe and load {:.2?}, close {:.2?} (plugin `hello`)",
        median(loads),
        median(closes)
    );
    start();
    memory();
}

/// From the start of the process until the replay of the sample has ended: above the
/// time until the first event.
fn start() {
    let folder = PluginsFolder::with(&EMA);
    let mut times = Vec::new();
    for _ in 0..10 {
        let run = Run::config(workspace().join("examples/ema-cross.yaml"))
            .env("HOTBAY_PLUGINS", folder.path());
        let began = Instant::now();
        let report = run.finish().expect_code(0).report();
        let replay = Duration::from_millis(report.0["elapsed_ms"].as_u64().unwrap());
        times.push(began.elapsed().saturating_sub(replay));
    }
    println!("start     {:.1?} from exec to the pipeline's start (goal: 300 ms)", median(times));
}

/// Of a host whose pipeline waits: all six plugins are loaded, a live feed retries.
fn memory() {
    let folder = PluginsFolder::with(&[
        "hello",
        "binance-feed",
        "market-aggregator",
        "mean-reversion",
        "ema-cross",
        "paper-executor",
        "market-sample",
    ]);
    let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    let yaml = format!("plugins: {{ folder: {} }}\n", folder.path().display());
    std::fs::write(file.path(), yaml).unwrap();
    let running = Run::config(file.path()).log("info").start();
    running.wait_for_log("primes below");
    let resident = Holdings::of_process(running.id()).resident;
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
    println!(
        "memory    {:.1} MiB resident with seven plugins loaded (goal: below 40 MB), {}",
        resident as f64 / 1_048_576.0,
        hotbay().display()
    );
}
