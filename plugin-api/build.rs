//! Tells the descriptor which compiler builds, and for which target.

use std::{env, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(rustc)
        .arg("--version")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=HOTBAY_RUSTC={}", version.trim());
    println!("cargo::rustc-env=HOTBAY_TARGET={}", env::var("TARGET").unwrap_or_default());
}
