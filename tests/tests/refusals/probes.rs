//! A probe that fails for another reason than its library is no evidence against the library.

use std::{fs, time::Duration};

use hotbay_tests::{ConfigFile, PluginsFolder, Signal, proc::children, until};
use rustix::process::{Pid, Signal as Kill, kill_process};

use super::{refusal, start, until_in_service, validate, with_probe_timeout};

/// The probe that a host has started, once it loads its library.
fn probe_of(host: u32, known: &[u32]) -> u32 {
    let loads = |child: &u32| {
        // The library is mapped while its constructor runs.
        let maps = fs::read_to_string(format!("/proc/{child}/maps")).unwrap_or_default();
        !known.contains(child)
            && maps.lines().any(|it| it.ends_with(".so") && it.contains("hotbay"))
    };
    until("a probe that loads its library", || children(host).into_iter().find(loads))
}

fn signal(process: u32, signal: Kill) {
    let process = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    kill_process(process, signal).unwrap();
}

fn quarantine(config: &ConfigFile) -> String {
    let file = config.path().with_file_name(".hotbay").join("hotbay/quarantine.json");
    let list = fs::read_to_string(file).unwrap_or_default();
    list.split("suspected").next().unwrap_or_default().to_owned()
}

#[test]
fn a_probe_that_was_killed_from_outside_is_repeated_at_once() {
    let folder = PluginsFolder::with(&[]);
    let config = with_probe_timeout(&folder, "20s");
    let running = start(&config);
    folder.add("slow-to-load");
    signal(probe_of(running.id(), &[]), Kill::KILL);
    until_in_service(&config, "slow-to-load");
    assert!(!quarantine(&config).contains("slow"), "{}", quarantine(&config));
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn a_build_whose_probe_was_killed_twice_is_tried_again_on_request() {
    let folder = PluginsFolder::with(&[]);
    let config = with_probe_timeout(&folder, "20s");
    let running = start(&config);
    folder.add("slow-to-load");
    let first = probe_of(running.id(), &[]);
    signal(first, Kill::TERM);
    signal(probe_of(running.id(), &[first]), Kill::KILL);
    let refused = refusal(&config, "libslow_to_load.so");
    assert_eq!(refused["code"], "probe-killed");
    assert!(refused["reason"].as_str().unwrap().contains("SIGKILL"), "{refused}");
    running.signal(Signal::Hangup);
    until_in_service(&config, "slow-to-load");
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn the_time_for_which_a_host_is_frozen_with_its_probe_does_not_count() {
    let folder = PluginsFolder::with(&[]);
    let config = with_probe_timeout(&folder, "4s");
    let running = start(&config);
    folder.add("slow-to-load");
    let probe = probe_of(running.id(), &[]);
    for process in [running.id(), probe] {
        signal(process, Kill::STOP);
    }
    // This is no wait for a fact: it is the time that must not count, longer than the limit.
    std::thread::sleep(Duration::from_secs(5));
    for process in [probe, running.id()] {
        signal(process, Kill::CONT);
    }
    until_in_service(&config, "slow-to-load");
    assert!(!running.stderr().contains("did not come up"), "{}", running.stderr());
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn a_build_that_was_too_slow_is_tried_again_under_a_longer_limit() {
    let folder = PluginsFolder::with(&["slow-to-load"]);
    let config = with_probe_timeout(&folder, "300ms");
    for _ in 0..3 {
        validate(&config).expect_code(0).expect_stderr(&["did not come up within 300ms"]);
    }
    validate(&config).expect_code(0).expect_stderr(&["is in quarantine", "several times in a row"]);
    let text = fs::read_to_string(config.path()).unwrap().replace("300ms", "20s");
    fs::write(config.path(), text).unwrap();
    let running = start(&config);
    until_in_service(&config, "slow-to-load");
    assert!(!quarantine(&config).contains("slow"), "{}", quarantine(&config));
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}
