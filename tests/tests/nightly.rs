//! The stable ABI, shown: a plugin of one compiler in a host of another.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{path::PathBuf, process::Command};

use hotbay_tests::{ConfigFile, PluginsFolder, Run, Signal, workspace};

/// CI runs it by name: `cargo test -p hotbay-tests --test nightly -- --ignored --nocapture`
#[test]
#[ignore = "builds with the nightly toolchain; run with --ignored"]
fn a_plugin_built_by_nightly_runs_in_a_host_built_by_stable() {
    let toolchains = Command::new("rustup").args(["toolchain", "list"]).output();
    let toolchains = toolchains.map(|it| String::from_utf8_lossy(&it.stdout).into_owned());
    if !toolchains.is_ok_and(|list| list.lines().any(|line| line.starts_with("nightly"))) {
        eprintln!("left out: no nightly toolchain is installed");
        return;
    }
    let library = build_with_nightly("hello");
    let folder = PluginsFolder::with(&[]);
    folder.write("libhello.so", &std::fs::read(&library).unwrap());

    let arguments = ["plugin", "list", folder.path().to_str().unwrap(), "--output", "json"];
    let list = Run::new(arguments).finish().expect_code(0).stdout;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let rustc = list["plugins"][0]["rustc"].as_str().unwrap_or_else(|| panic!("{list:#}"));
    assert!(rustc.contains("nightly"), "{rustc}");

    let config =
        ConfigFile::new(&folder, "tasks: [{ plugin: hello, task: heartbeat, interval: 10ms }]\n");
    let running = Run::config(config.path()).log("info").start();
    running.wait_for_log("primes below");
    running.signal(Signal::Terminate);
    let ended = running.wait().expect_code(0);
    assert_eq!(ended.report().task("hello/greet")["runs"], 1);
    assert!(!ended.stderr.contains("stays"), "{}", ended.stderr);
    eprintln!("a plugin built by {rustc} ran in the host");
}

fn build_with_nightly(package: &str) -> PathBuf {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo", "build", "-p", package]);
    command.args(["--message-format=json-render-diagnostics", "--target-dir"]);
    command.arg(workspace().join("target/nightly")).current_dir(workspace());
    // What the outer cargo and its toolchain set must not lead the inner ones astray.
    for (name, _) in std::env::vars_os() {
        let of_cargo = |name: &str| {
            name.starts_with("CARGO") && name != "CARGO_HOME" || name.starts_with("RUSTC")
        };
        if name.to_str().is_some_and(|name| {
            of_cargo(name) || ["RUSTUP_TOOLCHAIN", "RUSTDOC", "LD_LIBRARY_PATH"].contains(&name)
        }) {
            command.env_remove(name);
        }
    }
    let output = command.stderr(std::process::Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "nightly does not build {package}");
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let files = messages.lines().flat_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        let is_it = message["target"]["name"] == package;
        let files = message["filenames"].as_array().cloned().unwrap_or_default();
        files.into_iter().filter(move |_| is_it)
    });
    let mut files = files.filter_map(|file| file.as_str().map(PathBuf::from));
    files.find(|file| file.extension().is_some_and(|it| it == "so")).unwrap()
}
