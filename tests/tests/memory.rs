//! What a host has allocated does not grow with the number of builds that it has loaded.
//!
//! The allocator of the C library keeps freed memory in caches of each thread and counts it as in
//! use, so each test repeats itself in a process without these caches. There, every byte counts.

#![expect(clippy::unwrap_used, reason = "a test may")]
#![expect(clippy::print_stdout, reason = "the long form is run to see its figures")]

use std::{
    env,
    num::NonZeroUsize,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use hotbay::{
    config::Config,
    daemon::{Host, HostEvent, HostHandle},
    loader::{Loader, LoaderConfig},
    runtime::{Generation, UnloadOutcome},
};
use hotbay_tests::{
    ConfigFile, LIMIT, PluginsFolder, another_build, heap_in_use, hotbay, library, put,
};
use tokio::runtime::{Builder, Runtime};

const PLUGINS: [&str; 4] = ["numbers-source", "numbers-merge", "numbers-pass", "numbers-sink"];

const PIPELINE: &str = "\
reload: { settle: 20ms, probation: 20ms }
channels:
  raw: { capacity: 64 }
  merged: { capacity: 64 }
  passed: { capacity: 64 }
pipeline:
  time: live
  connectors: [{ id: source, plugin: numbers-source, outputs: raw, config: { rate: 100 } }]
  aggregator: { id: merge, plugin: numbers-merge, inputs: raw, outputs: merged }
  strategies: [{ id: pass, plugin: numbers-pass, inputs: merged, outputs: passed }]
  executors: [{ id: sink, plugin: numbers-sink, inputs: passed }]
";

/// The host's own records of the last replacements have found their size by then.
const WARM_UP: usize = 16;

/// Runs `test` in a process of its own, in which the allocator caches nothing.
fn alone(name: &str, test: impl FnOnce()) {
    const TUNABLES: &str = "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1";
    if env::var("GLIBC_TUNABLES").is_ok_and(|set| set == TUNABLES) {
        return test();
    }
    let again = Command::new(env::current_exe().unwrap())
        .args([name, "--exact", "--include-ignored", "--nocapture"])
        .env("GLIBC_TUNABLES", TUNABLES)
        .status()
        .unwrap();
    assert!(again.success(), "{name}: {again}");
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// The least that is in use at several moments: what is done at one of them uses some as well.
async fn settled_heap() -> u64 {
    let mut least = u64::MAX;
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        least = least.min(heap_in_use());
    }
    least
}

fn assert_flat(what: &str, before: u64, after: u64, limit: i64) {
    let grown = i64::try_from(after).unwrap() - i64::try_from(before).unwrap();
    println!("{what}: heap in use {before} → {after} bytes ({grown:+})");
    assert!(grown <= limit, "{what}: the heap in use grew by {grown} bytes");
}

async fn load_and_close(loader: &Loader, times: usize) {
    for _ in 0..times {
        let inspected = loader.inspect(library("hello"), &Arc::default()).await.unwrap();
        let plugin = Generation::load(loader, inspected, NonZeroUsize::MIN).await.unwrap();
        assert_eq!(plugin.close(LIMIT).await, UnloadOutcome::Unmapped);
    }
}

#[test]
fn a_build_that_was_closed_leaves_not_a_byte_on_the_heap() {
    alone("a_build_that_was_closed_leaves_not_a_byte_on_the_heap", || {
        runtime().block_on(async {
            let config = LoaderConfig {
                probe_program: Some(hotbay().to_owned()),
                ..LoaderConfig::default()
            };
            let loader = Loader::new(config).unwrap();
            load_and_close(&loader, 10).await;
            let before = settled_heap().await;
            load_and_close(&loader, 20).await;
            // 112 bytes for each load, as the subscribers of libraries once left behind, would
            // be 2,240.
            assert_flat("20 loads", before, settled_heap().await, 1_000);
        });
    });
}

/// Replaces the plugins in turn, each time by another build.
async fn replace(handle: &HostHandle, folder: &PluginsFolder, numbers: std::ops::Range<usize>) {
    let mut events = handle.events();
    for number in numbers {
        let plugin = PLUGINS[number % PLUGINS.len()];
        let bytes = another_build(library(plugin), number as u64);
        put(&folder.file_of(plugin), &bytes);
        let replaced = async {
            loop {
                if let HostEvent::Replacement(record) = events.recv().await.unwrap() {
                    return record;
                }
            }
        };
        let record = tokio::time::timeout(LIMIT, replaced).await.expect("it is replaced");
        assert_eq!(record.plugin, plugin);
    }
    let began = Instant::now();
    // The last build is on probation, and the one before is being closed.
    while handle.status().await.unwrap().plugins.len() > PLUGINS.len() {
        assert!(began.elapsed() < LIMIT, "a build was not closed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Measures the heap after so many replacements, and again when the number is `until`.
fn replaced(warm_up: usize, until: usize, limit: i64) {
    let folder = PluginsFolder::with(&PLUGINS);
    let config = ConfigFile::new(&folder, PIPELINE);
    let config = Config::load(&config.path(), &|name| env::var(name)).unwrap();
    runtime().block_on(async {
        let host = Host::prepare_with(config, Some(hotbay().to_owned())).await.unwrap();
        let handle = host.handle();
        let running = tokio::spawn(host.run(std::future::pending(), |_| ()));
        let began = Instant::now();
        while handle.status().await.is_err() {
            assert!(began.elapsed() < LIMIT, "the host did not start");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        replace(&handle, &folder, 0..warm_up).await;
        let before = settled_heap().await;
        replace(&handle, &folder, warm_up..until).await;
        let after = settled_heap().await;
        handle.stop();
        running.await.unwrap().unwrap();
        assert_flat(&format!("{until} replacements against {warm_up}"), before, after, limit);
    });
}

#[test]
fn the_heap_does_not_grow_with_replacements() {
    alone("the_heap_does_not_grow_with_replacements", || replaced(WARM_UP, 3 * WARM_UP, 16 << 10));
}

/// `cargo test -p hotbay-tests --test memory -- --ignored --nocapture`
#[test]
#[ignore = "takes six minutes; run with --ignored"]
fn the_heap_does_not_grow_with_two_thousand_replacements() {
    alone("the_heap_does_not_grow_with_two_thousand_replacements", || {
        replaced(200, 2_000, 16 << 10);
    });
}
