//! (a) The same handler, called through the library and linked in.

use std::{
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use hotbay::runtime::{BayConfig, Generation, PluginComponent, Services};
use hotbay_market::{FairValue, Fixed, Instrument};
use hotbay_plugin_api::{
    Batch, ChannelName, EventTask,
    testing::{TestHost, batch},
};
use mean_reversion_linked::MeanReversion;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::sample::{component, load, loader, nanoseconds, ratio, services, take_turns};

/// How many events a batch holds: one, as many as a publisher puts into a batch by itself,
/// and so many that a call no longer counts.
const SIZES: [u32; 3] = [1, 256, 4096];
const GOALS: [(u32, &str); 2] = [(1, " (goal: at most 2.50)"), (256, " (goal: at most 1.10)")];
/// How many events each side handles in one sample, whatever the batches' size.
const EVENTS: u32 = 512 * 1024;

pub(crate) async fn run() {
    // A threshold that is never passed: the handler computes, and asks nothing of its host.
    let config = json!({ "quantity": "0.001", "theta": 1e9 });
    let services = services(&[("fair", 1024), ("orders", 64)]);
    let loader = loader();
    let plugin = load(&loader, "mean-reversion").await;
    let bay = BayConfig { name: "linked".to_owned(), threads: NonZeroUsize::MIN };
    let same = Generation::linked(mean_reversion_linked::hotbay_plugin(), &bay).await.unwrap();
    let loaded = of_plugin(&plugin, &config, &services).await;
    let linked = of_plugin(&same, &config, &services).await;
    let host = TestHost::new()
        .with_config(&config)
        .with_input("fair", "fair")
        .with_output("orders", "orders");
    let direct: Task = Arc::new(Mutex::new(host.create::<MeanReversion>().unwrap()));
    let sides = [loaded, direct, linked];
    for size in SIZES {
        let batch = fair_values(size);
        // All run where the loaded one must: on its bay.
        let [loaded, direct, linked] = take_turns(async |side: usize| {
            let drive = drive(Arc::clone(&sides[side]), batch.clone(), EVENTS / size);
            plugin.handle().spawn(drive).await.unwrap()
        })
        .await;
        let goal = GOALS.iter().find(|goal| goal.0 == size).map_or("", |goal| goal.1);
        println!(
            "handler   {size:>4} a batch: loaded {}  linked in {}  per event: ratio {:.3}{goal}; linked \
             in behind the ABI {}, ratio {:.3}",
            nanoseconds(&loaded, EVENTS),
            nanoseconds(&direct, EVENTS),
            ratio(&loaded, &direct),
            nanoseconds(&linked, EVENTS),
            ratio(&loaded, &linked),
        );
    }
    drop(sides);
    plugin.close(Duration::from_secs(5)).await;
    same.close(Duration::from_secs(5)).await;
}

type Task = Arc<Mutex<dyn EventTask<ChannelName, Batch>>>;

async fn of_plugin(plugin: &Generation, config: &Value, services: &Services) -> Task {
    let ports: (&[_], &[_]) = (&[("fair", "fair")], &[("orders", "orders")]);
    let made = component(plugin, "mean-reversion", config.clone(), ports, services).await;
    let PluginComponent::Event(task) = made else { panic!("a strategy handles events") };
    Arc::new(Mutex::new(task))
}

async fn drive(task: Task, batch: Batch, batches: u32) -> Duration {
    let mut task = task.lock().await;
    let began = Instant::now();
    for _ in 0..batches {
        task.handle_event(batch.clone()).await.unwrap();
    }
    began.elapsed()
}

fn fair_values(count: u32) -> Batch {
    let instrument = Instrument::new("BTCUSDT@usdm").unwrap();
    let events: Vec<_> = (0..i64::from(count))
        .map(|at| {
            let (bid, ask) = (Fixed::new(6_180_000 + at, 2), Fixed::new(6_180_010 + at, 2));
            let mid = (bid.to_f64() + ask.to_f64()) / 2.0;
            (at, FairValue { instrument, fair: 61_800.0, mid, bid, ask })
        })
        .collect();
    batch(&events)
}
