//! (d) One channel to four plugins, and tokio's broadcast of `String` to four tasks.

use std::{
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use hotbay::{
    Scheduler, TaskOptions,
    runtime::{Generation, PluginComponent},
};
use hotbay_plugin_api::ChannelName;
use hotbay_tests::library;
use tokio::sync::broadcast;

use super::sample::{component, in_turns, loader, numbers, per_second, services};

const BATCH: u64 = 256;
const EVENTS: u64 = BATCH * 400;
/// The same number, as a capacity.
const ROOM: usize = 256 * 400;

pub(crate) async fn run() {
    let loader = loader();
    let inspected = loader.inspect(library("numbers-sink"), &Arc::default()).await.unwrap();
    let plugin = Generation::load(&loader, inspected, NonZeroUsize::new(2).unwrap()).await.unwrap();
    let (plugins, tokio, ratio) = in_turns(
        async || to_plugins(&plugin).await,
        async || tokio::spawn(to_tasks()).await.unwrap(),
    )
    .await;
    println!(
        "fanout    plugins {}  broadcast<String> {}, each event to four: {:.1} times as many (goal: 5)",
        per_second(EVENTS, plugins),
        per_second(EVENTS, tokio),
        1.0 / ratio
    );
    plugin.close(Duration::from_secs(5)).await;
}

/// Four components of one plugin, on its bay.
async fn to_plugins(plugin: &Generation) -> Duration {
    let services = services(&[("numbers", 8192)]);
    let scheduler = Scheduler::new(services.bus.clone());
    for index in 0..4 {
        let ports: (&[_], &[_]) = (&[("in", "numbers")], &[]);
        let made = component(plugin, "sink", serde_json::json!({}), ports, &services).await;
        let PluginComponent::Event(sink) = made else { panic!("an executor handles events") };
        let options = TaskOptions::default().with_runtime(plugin.handle().clone());
        scheduler.register_event_task_with(format!("sink-{index}"), sink, options).unwrap();
    }
    scheduler.start().await.unwrap();
    let channel = ChannelName::from("numbers");
    let sender = services.bus.clone_sender(&channel).unwrap();
    let began = Instant::now();
    let publish = async move {
        for first in (0..EVENTS / BATCH).map(|batch| batch * BATCH + 1) {
            // The batch is made here, as a publisher makes it.
            sender.send(numbers(first, BATCH)).await.unwrap();
        }
    };
    tokio::spawn(publish).await.unwrap();
    services.bus.close(&channel).unwrap();
    scheduler.wait_all().await;
    let elapsed = began.elapsed();
    assert_eq!(services.bus.stats(&channel).unwrap().delivered, EVENTS * 4);
    elapsed
}

async fn to_tasks() -> Duration {
    // Room for all, so that nothing has to be waited for, and nothing is lost.
    let (sender, _) = broadcast::channel::<String>(ROOM);
    let receivers: Vec<_> = (0..4).map(|_| sender.subscribe()).collect();
    let began = Instant::now();
    let mut tasks = Vec::new();
    for mut receiver in receivers {
        tasks.push(tokio::spawn(async move {
            let mut received = 0;
            while let Ok(text) = receiver.recv().await {
                let number: u64 = text.parse().unwrap();
                received += u64::from(number > 0);
            }
            received
        }));
    }
    let publish = async move {
        for number in 1..=EVENTS {
            sender.send(number.to_string()).unwrap();
            tokio::task::coop::consume_budget().await;
        }
    };
    tokio::spawn(publish).await.unwrap();
    for task in tasks {
        assert_eq!(task.await.unwrap(), EVENTS);
    }
    began.elapsed()
}
