//! (a) The same handler, called through the library and linked in.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hotbay::plugin::PluginComponent;
use hotbay_market::{FairValue, Fixed, Instrument};
use hotbay_plugin_api::{
    Batch, ChannelName, EventTask,
    testing::{TestHost, batch},
};
use mean_reversion::MeanReversion;
use serde_json::json;
use tokio::sync::Mutex;

use super::sample::{component, in_turns, load, loader, services};

const BATCHES: u32 = 2_000;
const EVENTS: u32 = 256;

pub(crate) async fn run() {
    // A threshold that is never passed: the handler computes, and asks nothing of its host.
    let config = json!({ "quantity": "0.001", "theta": 1e9 });
    let ports: (&[_], &[_]) = (&[("fair", "fair")], &[("orders", "orders")]);
    let services = services(&[("fair", 1024), ("orders", 64)]);
    let loader = loader();
    let plugin = load(&loader, "mean-reversion").await;
    let PluginComponent::Events(loaded) =
        component(&plugin, "mean-reversion", config.clone(), ports, &services).await
    else {
        panic!("a strategy handles events")
    };
    let host = TestHost::new()
        .with_config(&config)
        .with_input("fair", "fair")
        .with_output("orders", "orders");
    let linked: MeanReversion = host.create().unwrap();
    let batch = fair_values();
    let loaded: Task = Arc::new(Mutex::new(loaded));
    let linked: Task = Arc::new(Mutex::new(linked));
    // Both run where the loaded one must: on its bay.
    let on_bay = async |task: &Task| {
        let drive = drive(Arc::clone(task), batch.clone());
        plugin.handle().spawn(drive).await.unwrap()
    };
    let (of_loaded, of_linked, ratio) =
        in_turns(async || on_bay(&loaded).await, async || on_bay(&linked).await).await;
    let each = |time: Duration| format!("{:.2?}", time / (BATCHES * EVENTS));
    println!(
        "handler   loaded {}  linked {}  per event in batches of {EVENTS}: ratio {ratio:.3} (goal: at \
         most 1.10)",
        each(of_loaded),
        each(of_linked)
    );
    plugin.close(Duration::from_secs(5)).await;
}

type Task = Arc<Mutex<dyn EventTask<ChannelName, Batch>>>;

async fn drive(task: Task, batch: Batch) -> Duration {
    let mut task = task.lock().await;
    let began = Instant::now();
    for _ in 0..BATCHES {
        task.handle_event(batch.clone()).await.unwrap();
    }
    began.elapsed()
}

fn fair_values() -> Batch {
    let instrument = Instrument::new("BTCUSDT@usdm").unwrap();
    let events: Vec<_> = (0..i64::from(EVENTS))
        .map(|at| {
            let (bid, ask) = (Fixed::new(6_180_000 + at, 2), Fixed::new(6_180_010 + at, 2));
            let mid = (bid.to_f64() + ask.to_f64()) / 2.0;
            (at, FairValue { instrument, fair: 61_800.0, mid, bid, ask })
        })
        .collect();
    batch(&events)
}
