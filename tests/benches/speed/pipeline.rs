//! (b) Four plugins in a row, and the same four stages wired by hand with tokio's
//! broadcast channel of `String`, as a program without a host would do it.
//!
//! Both number their events, hand each one through a merging and a passing stage,
//! and look for gaps at the end. By hand an event is the number as text, formatted
//! once at the source and parsed at the end; the stages between pass it on unread.

use std::time::{Duration, Instant};

use hotbay::{config::Config, daemon::Host};
use hotbay_tests::{PluginsFolder, hotbay};
use tokio::sync::broadcast::{self, Receiver, Sender, error::RecvError};

use super::sample::{in_turns, per_second};

const EVENTS: u64 = 500_000;
pub(crate) const PLUGINS: [&str; 4] =
    ["numbers-source", "numbers-merge", "numbers-pass", "numbers-sink"];

pub(crate) async fn run() {
    let folder = PluginsFolder::with(&PLUGINS);
    let (plugins, hand, ratio) = in_turns(
        async || through_plugins(&folder).await,
        async || tokio::spawn(by_hand()).await.unwrap(),
    )
    .await;
    println!(
        "pipeline  plugins {}  by hand with broadcast<String> {}: {:.1} times as many (goal: 3)",
        per_second(EVENTS, plugins),
        per_second(EVENTS, hand),
        1.0 / ratio
    );
}

/// From the first event to the last one handled; starting and unloading are included.
async fn through_plugins(folder: &PluginsFolder) -> Duration {
    let yaml = yaml(folder, &format!("{{ to: {EVENTS}, batch: 256 }}"));
    let probe = hotbay().display().to_string();
    let config = Config::parse("bench.yaml".as_ref(), &yaml, &|name| std::env::var(name)).unwrap();
    let host = Host::prepare_with(config, Some(probe.into())).await.unwrap();
    let began = Instant::now();
    let report = host.run(std::future::pending(), |_| ()).await.unwrap();
    let elapsed = began.elapsed();
    assert!(report.is_success());
    assert_eq!(report.sections["numbers"][0]["received"], EVENTS);
    elapsed
}

/// The four plugins in a row, their source with this configuration.
pub(crate) fn yaml(folder: &PluginsFolder, source: &str) -> String {
    format!(
        "
plugins: {{ folder: {} }}
channels:
  raw: {{ capacity: 4096 }}
  merged: {{ capacity: 4096 }}
  passed: {{ capacity: 4096 }}
pipeline:
  time: replay
  connectors:
    - {{ id: source, plugin: numbers-source, outputs: raw, config: {source} }}
  aggregator: {{ id: merge, plugin: numbers-merge, inputs: raw, outputs: merged }}
  strategies: [{{ id: pass, plugin: numbers-pass, inputs: merged, outputs: passed }}]
  executors: [{{ id: sink, plugin: numbers-sink, inputs: passed }}]
",
        folder.path().display()
    )
}

async fn by_hand() -> Duration {
    let channel = || broadcast::channel::<String>(4096);
    let ((raw, from_raw), (merged, from_merged), (passed, mut from_passed)) =
        (channel(), channel(), channel());
    let began = Instant::now();
    tokio::spawn(async move {
        for number in 1..=EVENTS {
            send(&raw, number.to_string()).await;
        }
    });
    tokio::spawn(pass_on(from_raw, merged));
    tokio::spawn(pass_on(from_merged, passed));
    let (mut received, mut last) = (0, 0);
    while let Some(text) = receive(&mut from_passed).await {
        let number: u64 = text.parse().unwrap();
        assert_eq!(number, last + 1, "nothing is lost or out of order");
        (received, last) = (received + 1, number);
    }
    assert_eq!(received, EVENTS);
    began.elapsed()
}

async fn pass_on(mut from: Receiver<String>, to: Sender<String>) {
    while let Some(text) = receive(&mut from).await {
        send(&to, text).await;
    }
}

/// Broadcast overwrites what is not read yet, so who must lose nothing looks first.
async fn send(to: &Sender<String>, text: String) {
    while to.len() >= 4096 {
        tokio::task::yield_now().await;
    }
    to.send(text).unwrap();
}

async fn receive(from: &mut Receiver<String>) -> Option<String> {
    match from.recv().await {
        Ok(text) => Some(text),
        Err(RecvError::Closed) => None,
        Err(RecvError::Lagged(lost)) => panic!("{lost} events lost"),
    }
}
