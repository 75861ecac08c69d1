//! (f) One event at a time through four plugins, connector to executor, at a steady rate.
//!
//! Each plugin has a thread of its own, so an event crosses three hops from thread to
//! thread. Each stage stamps the event when it receives it; the first stamp is taken when
//! the connector publishes. What lies between two stamps is the publishing, the wake of
//! the other thread, and the call into the other plugin.

use hotbay::{config::Config, daemon::Host};
use hotbay_tests::{PluginsFolder, hotbay};

use super::pipeline::{PLUGINS, yaml};

const EVENTS: u64 = 30_000;
const RATE: u64 = 10_000;
const RUNS: usize = 5;
const HOPS: [&str; 4] =
    ["connector to aggregator", "aggregator to strategy", "strategy to executor", "whole way"];

pub(crate) async fn run() {
    let folder = PluginsFolder::with(&PLUGINS);
    let mut of_hops = [const { Vec::new() }; HOPS.len()];
    for _ in 0..RUNS {
        for (samples, row) in of_hops.iter_mut().zip(measure(&folder).await) {
            samples.push(row);
        }
    }
    println!(
        "latency   {EVENTS} single events at {RATE}/s through four plugins, medians of {RUNS} runs"
    );
    for (hop, samples) in HOPS.iter().zip(of_hops) {
        let (p50, p99) =
            (middle(samples.iter().map(|it| it.0)), middle(samples.iter().map(|it| it.1)));
        let goal = if *hop == HOPS[HOPS.len() - 1] { " (goal: p50 at most 25)" } else { "" };
        println!("latency   {hop:<24} p50 {p50:>7.1} us  p99 {p99:>7.1} us{goal}");
    }
}

/// The p50 and p99 of each hop and of the whole way, in nanoseconds.
async fn measure(folder: &PluginsFolder) -> Vec<(f64, f64)> {
    let config = yaml(folder, &format!("{{ to: {EVENTS}, timed: {RATE} }}"));
    let config =
        Config::parse("bench.yaml".as_ref(), &config, &|name| std::env::var(name)).unwrap();
    let host = Host::prepare_with(config, Some(hotbay().to_owned())).await.unwrap();
    let report = host.run(std::future::pending(), |_| ()).await.unwrap();
    assert!(report.is_success());
    assert_eq!(report.sections["numbers"][0]["received"], EVENTS);
    let rows = report.sections["latency"].iter();
    rows.map(|row| (row["p50_ns"].as_f64().unwrap(), row["p99_ns"].as_f64().unwrap())).collect()
}

/// The median of some nanoseconds, in microseconds.
fn middle(of: impl Iterator<Item = f64>) -> f64 {
    let mut of: Vec<_> = of.collect();
    of.sort_by(f64::total_cmp);
    of[of.len() / 2] / 1e3
}
