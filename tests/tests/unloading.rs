//! Loading and closing leaves nothing behind. Alone in its process, whose holdings it counts.

#![expect(clippy::print_stderr, clippy::unwrap_used, reason = "a test may")]

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hotbay::{
    loader::{BayThreads, Loader, LoaderConfig, sweep},
    runtime::{ComponentSetup, ComponentSlot, ComponentSpec, Generation, Services, UnloadOutcome},
};
use hotbay_plugin_api::{Batch, ChannelName, RunInfo, spec::RunTarget};
use hotbay_tests::{
    PluginsFolder, build_with_unique, free_keys, hotbay, library,
    proc::{Holdings, mappings, thread_names},
    until,
};
use tokio_util::sync::CancellationToken;

/// The tests of this file take turns: each counts what its whole process holds.
static TURN: Mutex<()> = Mutex::new(());

const WARM_UP: usize = 20;

const LIMIT: Duration = Duration::from_secs(10);

fn loader() -> Loader {
    let config = LoaderConfig {
        probe_program: Some(hotbay().to_owned()),
        probe_limit: LIMIT,
        ..LoaderConfig::default()
    };
    Loader::new(config).unwrap()
}

async fn load(loader: &Loader, package: &str) -> Generation {
    load_file(loader, library(package)).await
}

async fn load_file(loader: &Loader, file: &Path) -> Generation {
    let inspected = loader.inspect(file, &Arc::default()).await.unwrap();
    Generation::load(loader, inspected, NonZeroUsize::new(2).unwrap()).await.unwrap()
}

fn services() -> Services {
    let bus = hotbay::EventBus::<ChannelName, Batch>::try_with_payload(Vec::new()).unwrap();
    Services::new(bus)
}

async fn run(plugin: &Generation, task: &str, services: &Services) {
    let setup = ComponentSetup {
        slot: ComponentSlot::new(task, 0),
        spec: ComponentSpec::without_ports(task, serde_json::json!({})),
        cancel: CancellationToken::new(),
    };
    let runs = plugin.runs(RunTarget::Task(task.to_owned()), setup, services).unwrap();
    let info = RunInfo { id: "first".to_owned(), attempt: 1 };
    let run = runs.create(info, serde_json::json!({}), CancellationToken::new()).await.unwrap();
    plugin.handle().spawn(async move { run.run().await }).await.unwrap().unwrap();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn a_plugin_is_mapped_while_it_is_loaded_and_not_after() {
    let _turn = TURN.lock();
    runtime().block_on(async {
        let loader = loader();
        let plugin = load(&loader, "hello").await;
        let hash = plugin.info().file.as_ref().unwrap().hash[..16].to_owned();
        let mapped = || mappings("self").iter().any(|path| path.contains(&hash));
        assert!(mapped());
        assert_eq!(plugin.close(LIMIT).await, UnloadOutcome::Unmapped);
        assert!(!mapped());
    });
}

#[test]
fn a_plugin_that_was_forgotten_is_unmapped_too() {
    let _turn = TURN.lock();
    runtime().block_on(async {
        let loader = loader();
        let plugin = load(&loader, "hello").await;
        let hash = plugin.info().file.as_ref().unwrap().hash[..16].to_owned();
        drop(plugin);
        until("the library to go", || {
            (!mappings("self").iter().any(|path| path.contains(&hash))).then_some(())
        });
    });
}

#[test]
fn a_library_stays_mapped_while_it_has_a_thread_or_its_module_is_used() {
    let _turn = TURN.lock();
    runtime().block_on(async {
        let loader = loader();
        let inspected = loader.inspect(library("hello"), &Arc::default()).await.unwrap();
        let ready = loader.ready(inspected).await.unwrap();
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let (map, mapped) = std::sync::mpsc::channel();
        let threads = ready.threads();
        let thread = std::thread::spawn(move || {
            threads.enter();
            map.send(ready.map().unwrap()).unwrap();
            ends.recv().ok();
            BayThreads::leave();
        });
        let (library, module) = mapped.recv().unwrap();
        let also_used = module.clone();
        let remains = library.close().expect("it is in use");
        drop(module);
        drop(end);
        thread.join().unwrap();
        sweep();
        assert!(!remains.is_unmapped(), "{}", also_used.manifest().unwrap());
        assert!(remains.reason().contains("are in use"), "{}", remains.reason());
        drop(also_used);
        until("the library to go", || {
            sweep();
            remains.is_unmapped().then_some(())
        });
    });
}

#[test]
fn a_call_that_hangs_in_all_threads_of_a_plugin_does_not_keep_its_close_waiting() {
    let _turn = TURN.lock();
    runtime().block_on(async {
        let loader = loader();
        let inspected = loader.inspect(library("logs"), &Arc::default()).await.unwrap();
        let plugin = Generation::load(&loader, inspected, NonZeroUsize::MIN).await.unwrap();
        let (hang, hangs) = std::sync::mpsc::channel::<()>();
        let (began, begins) = std::sync::mpsc::channel();
        // As a constructor or a check of a configuration would, which have no object yet.
        plugin.handle().spawn(async move { (began.send(()), hangs.recv()) });
        begins.recv().unwrap();
        let closed = plugin.close(Duration::from_millis(100));
        let closed = tokio::time::timeout(LIMIT, closed).await.expect("it has a limit");
        assert_eq!(closed, UnloadOutcome::StillRunning { threads: 1 });
        // The library stays, so this plugin is not one that the other tests look for.
        drop(hang);
        until("the thread to end", || {
            (!thread_names("self").iter().any(|name| name.starts_with("bay-logs"))).then_some(())
        });
    });
}

#[test]
fn a_plugin_that_a_thread_pinned_goes_with_the_next_one_and_gives_its_key_back() {
    let _turn = TURN.lock();
    runtime().block_on(async {
        let loader = loader();
        let free = free_keys();
        let pinned = load(&loader, "leaves-thread").await;
        let hash = pinned.info().file.as_ref().unwrap().hash[..16].to_owned();
        let mapped = || mappings("self").iter().any(|path| path.contains(&hash));
        run(&pinned, "start-and-end", &services()).await;
        let UnloadOutcome::Retained(remains) = pinned.close(LIMIT).await else { panic!("it went") };
        assert!(remains.reason().contains("`ends-later` ("), "{}", remains.reason());
        // The thread's end calls into the library.
        until("the thread to end", || {
            (!thread_names("self").iter().any(|name| name == "ends-later")).then_some(())
        });
        assert!(mapped());
        assert_eq!(free_keys(), free - 1);
        assert_eq!(load(&loader, "hello").await.close(LIMIT).await, UnloadOutcome::Unmapped);
        assert!(!mapped());
        assert_eq!(free_keys(), free);
    });
}

#[test]
fn a_plugin_that_ends_its_threads_when_it_is_closed_is_unmapped() {
    let _turn = TURN.lock();
    runtime().block_on(async {
        let plugin = load(&loader(), "leaves-thread").await;
        run(&plugin, "start-pool", &services()).await;
        // A thread gives itself its name, when it begins.
        until("the thread to begin", || {
            thread_names("self").iter().any(|name| name == "pool").then_some(())
        });
        assert_eq!(plugin.close(LIMIT).await, UnloadOutcome::Unmapped);
        assert!(!thread_names("self").iter().any(|name| name == "pool"));
    });
}

/// Loads a plugin, runs its tasks and closes it, again and again.
fn load_and_close(package: &str, tasks: &[&str], times: usize) {
    load_and_close_file(library(package), tasks, times);
}

fn load_and_close_file(file: &Path, tasks: &[&str], times: usize) {
    let package = file.file_name().unwrap().display();
    let _turn = TURN.lock();
    runtime().block_on(async {
        let loader = loader();
        let round = async || {
            let plugin = load_file(&loader, file).await;
            let services = services();
            for task in tasks {
                run(&plugin, task, &services).await;
            }
            assert_eq!(plugin.close(LIMIT).await, UnloadOutcome::Unmapped);
        };
        // The allocator, the runtime's pools and the dynamic linker find their size first.
        for _ in 0..WARM_UP {
            round().await;
        }
        // Threads for blocking work of this process's own runtime come and go.
        let before = settled().await;
        let keys_before = free_keys();
        let began = Instant::now();
        for _ in 0..times {
            round().await;
        }
        let each = began.elapsed() / u32::try_from(times).unwrap();
        let after = settled().await;
        let keys_after = free_keys();
        let grown = after.resident.saturating_sub(before.resident) / 1024;
        eprintln!(
            "{package}: {times} times, {each:.1?} each with probe; mappings {} → {}, descriptors \
             {} → {}, threads {} → {}, free keys {keys_before} → {keys_after}, memory {} → {} KiB \
             (+{grown})",
            before.library_mappings,
            after.library_mappings,
            before.descriptors,
            after.descriptors,
            before.threads,
            after.threads,
            before.resident / 1024,
            after.resident / 1024,
        );
        assert_eq!(after.library_mappings, before.library_mappings, "mappings");
        assert!(after.descriptors <= before.descriptors, "descriptors");
        assert!(after.threads <= before.threads, "threads");
        assert_eq!(keys_after, keys_before, "pthread keys that are free");
        assert!(grown < 1024, "memory grew by {grown} KiB");
    });
}

async fn settled() -> Holdings {
    // Tokio's blocking threads end after ten idle seconds, so their number says nothing
    // before; a thread that a bay left would still be there.
    let mut last = Holdings::of_self();
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let now = Holdings::of_self();
        if now == last {
            break;
        }
        last = now;
    }
    last
}

#[test]
fn loading_and_closing_many_times_leaves_nothing() {
    load_and_close("hello", &["greet", "heartbeat"], 150);
}

#[test]
fn a_plugin_with_a_runtime_of_its_own_leaves_nothing_either() {
    load_and_close("spawns", &["sleeps", "talks", "leaves-behind"], 50);
}

/// A folder with a library that has a unique symbol, and the path of the library.
fn unique() -> (PluginsFolder, PathBuf) {
    let folder = PluginsFolder::with(&[]);
    let build = build_with_unique(library("hello"), "hotbay_plugin_entry_hello");
    let file = folder.write("unique.so", &build);
    (folder, file)
}

#[test]
fn a_library_that_the_linker_would_never_unmap_leaves_nothing_either() {
    load_and_close("nodelete", &["nothing"], 20);
    let (_folder, file) = unique();
    load_and_close_file(&file, &["greet"], 20);
}

/// Another load finds what the first one left, so nothing grows.
#[test]
fn a_library_that_is_never_unmapped_stays_alone_when_its_plugin_goes() {
    load_and_close("needs-nodelete", &["call"], 5);
    assert!(mappings("self").iter().any(|path| path.contains("libhotbay-needs-nodelete")));
}

#[test]
#[ignore = "takes minutes; run with --ignored"]
fn a_library_that_the_linker_would_never_unmap_is_loaded_and_closed_a_thousand_times() {
    load_and_close("nodelete", &["nothing"], 1_000);
    let (_folder, file) = unique();
    load_and_close_file(&file, &["greet"], 1_000);
}

/// The long form, which CI runs:
/// `cargo test -p hotbay-tests --test unloading -- --ignored --nocapture`
#[test]
#[ignore = "takes minutes; run with --ignored"]
fn one_process_loads_and_closes_twice_as_often_as_it_has_pthread_keys() {
    load_and_close("hello", &["greet", "heartbeat", "primes"], 1_500 - WARM_UP);
    load_and_close("spawns", &["sleeps", "talks", "leaves-behind"], 1_000 - WARM_UP);
}
