//! (c) The three-venue replay from the raw captures, parsing included.

use std::time::Instant;

use hotbay::{config::Config, daemon::Host};
use hotbay_tests::{PluginsFolder, hotbay, workspace};

use super::sample::median;

const LINES: u64 = 183_473;
const PLUGINS: [&str; 4] =
    ["binance-feed", "market-aggregator", "mean-reversion", "paper-executor"];

pub(crate) async fn run() {
    if std::env::var_os("HOTBAY_CAPTURES").is_none() {
        println!("replay    left out: HOTBAY_CAPTURES is not set");
        return;
    }
    let folder = PluginsFolder::with(&PLUGINS);
    let plugins = folder.path().display().to_string();
    let file = workspace().join("examples/three-venues.yaml");
    let mut times = Vec::new();
    for round in 0..=15 {
        let environment = |name: &str| match name {
            "HOTBAY_PLUGINS" => Ok(plugins.clone()),
            name => std::env::var(name),
        };
        let config = Config::load(&file, &environment).unwrap();
        let host = Host::prepare_with(config, Some(hotbay().to_owned())).await.unwrap();
        let began = Instant::now();
        let report = host.run(std::future::pending(), |_| ()).await.unwrap();
        if round > 0 {
            times.push(began.elapsed());
        }
        assert_eq!(report.sections["accounts"][0]["final_balance"], "999993.66245170");
    }
    times.sort();
    let (fastest, slowest) = (times[0], times[times.len() - 1]);
    let middle = median(times);
    println!(
        "replay    {LINES} raw lines in {middle:.1?} ({fastest:.1?} to {slowest:.1?}): {:.2} M lines/s \
         (goal: 1.50), unloading included",
        LINES as f64 / middle.as_secs_f64() / 1e6
    );
}
