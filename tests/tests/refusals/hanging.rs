//! Libraries that hang while they are loaded hold up nobody.

use std::time::{Duration, Instant};

use hotbay_tests::{PluginsFolder, Run, Signal, another_build, library, put, until};

use super::{is_in_service, start, until_in_service, with_probe_timeout};

/// How long a library may take to load: longer than anything that is waited for here.
const HANGS: Duration = Duration::from_secs(120);

/// The number of hanging libraries.
const MANY: u64 = 24;

fn add_hanging(folder: &PluginsFolder) {
    for number in 0..MANY {
        let file = folder.path().join(format!("libhangs{number}.so"));
        put(&file, &another_build(library("hangs"), number));
    }
}

#[test]
fn a_good_plugin_comes_into_service_beside_many_that_hang_and_a_stop_is_obeyed() {
    let folder = PluginsFolder::with(&[]);
    library("hello");
    let config = with_probe_timeout(&folder, "120s");
    let running = start(&config);
    add_hanging(&folder);
    folder.add("hello");
    let added = Instant::now();
    until_in_service(&config, "hello");
    eprintln!("in service after {:?} (goal: 1 s after 20 ms to settle)", added.elapsed());
    assert!(added.elapsed() < HANGS / 4, "it waited for those that hang");
    let asked = Instant::now();
    running.signal(Signal::Terminate);
    let ended = running.wait().expect_code(0);
    eprintln!("stopped after {:?} (goal: 1 s)", asked.elapsed());
    assert!(asked.elapsed() < HANGS / 4, "it waited for those that hang");
    assert_eq!(ended.report().outcome(), "stopped");
}

#[test]
fn a_host_starts_beside_many_libraries_that_hang() {
    let folder = PluginsFolder::with(&["hello"]);
    add_hanging(&folder);
    let config = with_probe_timeout(&folder, "120s");
    let began = Instant::now();
    let running = Run::config(config.path()).log("info").start();
    until("hello in service", || is_in_service(&config, "hello"));
    eprintln!("in service after {:?}", began.elapsed());
    assert!(began.elapsed() < HANGS / 4, "it waited for those that hang");
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn a_library_that_comes_up_late_is_in_service_after_the_start() {
    let folder = PluginsFolder::with(&["hello", "slow-to-load"]);
    let config = with_probe_timeout(&folder, "120s");
    let running = start(&config);
    until_in_service(&config, "hello");
    until_in_service(&config, "slow-to-load");
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}
