//! A refusal holds for as long as its cause, names it, and harms nobody else.

#![expect(clippy::unwrap_used, reason = "a test may")]

#[path = "refusals/at_start.rs"]
mod at_start;
#[path = "refusals/broken_configuration.rs"]
mod broken_configuration;
#[path = "refusals/causes.rs"]
mod causes;
#[path = "refusals/hanging.rs"]
mod hanging;
#[path = "refusals/names.rs"]
mod names;
#[path = "refusals/outside.rs"]
mod outside;
#[path = "refusals/probes.rs"]
mod probes;

use std::{path::Path, process::Command};

use hotbay_tests::{ConfigFile, Ended, PluginsFolder, Run, Running, until};
use serde_json::Value;

/// Short times, so that changes take effect soon.
const RELOAD: &str = "reload: { settle: 20ms, probation: 100ms }\n";

/// A configuration that loads hanging libraries for longer than a test waits for anything else.
fn with_probe_timeout(folder: &PluginsFolder, limit: &str) -> ConfigFile {
    let path = folder.path().display();
    let yaml = format!("plugins: {{ folder: {path}, probe_timeout: {limit} }}\n{RELOAD}");
    ConfigFile::verbatim(&yaml)
}

fn start(config: &ConfigFile) -> Running {
    let running = Run::config(config.path()).log("info,hotbay_daemon=debug").start();
    until("the host runs", || config.status());
    running
}

fn is_in_service(config: &ConfigFile, plugin: &str) -> Option<()> {
    let status = config.status()?;
    let mut plugins = status["plugins"].as_array()?.iter();
    plugins.any(|it| it["name"] == plugin && it["state"] == "in-service").then_some(())
}

fn until_in_service(config: &ConfigFile, plugin: &str) {
    until(&format!("{plugin} in service"), || is_in_service(config, plugin));
}

/// What the status says about a refused file, once it does.
fn refusal(config: &ConfigFile, file: &str) -> Value {
    until(&format!("{file} is refused"), || {
        let status = config.status()?;
        let mut refused = status["refused"].as_array()?.iter();
        refused.find(|it| it["file"].as_str().is_some_and(|path| path.ends_with(file))).cloned()
    })
}

fn is_refused(config: &ConfigFile, file: &str) -> bool {
    let status = config.status().unwrap();
    let mut refused = status["refused"].as_array().unwrap().iter();
    refused.any(|it| it["file"].as_str().is_some_and(|path| path.ends_with(file)))
}

fn inspect(file: &Path) -> Ended {
    Run::new(["plugin".as_ref(), "inspect".as_ref(), file.as_os_str()]).finish()
}

fn validate(config: &ConfigFile) -> Ended {
    Run::new(["validate".as_ref(), config.path().as_os_str()]).finish()
}

/// Returns `true` if this user may have a view of the file system of its own. Otherwise, a test
/// that needs one is left out.
fn may_mount() -> bool {
    let mut unshare = Command::new("unshare");
    let tried = unshare.args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    tried.is_ok_and(|tried| tried.status.success())
}

/// A library that needs the library `libgcc_x.so.1` instead of `libgcc_s.so.1`.
fn needing_a_library(plugin: &str) -> Vec<u8> {
    let mut bytes = std::fs::read(hotbay_tests::library(plugin)).unwrap();
    let name = b"libgcc_s.so.1\0";
    let at = bytes.windows(name.len()).position(|it| it == name).expect("it needs libgcc_s");
    bytes[at + "libgcc_".len()] = b'x';
    bytes
}
