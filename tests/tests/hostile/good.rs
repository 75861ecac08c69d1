//! Good plugins to begin with, without what only debuggers read: that is nine tenths of a debug
//! build, and each byte is copied and hashed for each kind of file.

use std::{
    fs,
    process::{Command, Stdio},
    sync::LazyLock,
};

use hotbay_tests::library;

/// The fixture that does misdeeds, and none as it is.
pub(crate) static MISDEEDS: LazyLock<Vec<u8>> = LazyLock::new(|| stripped("misdeeds"));

/// A plugin like any other.
pub(crate) static HELLO: LazyLock<Vec<u8>> = LazyLock::new(|| stripped("hello"));

/// As it was built, where there is no `strip`.
fn stripped(package: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("stripped.so");
    let mut strip = Command::new("strip");
    strip.arg("-o").arg(&output).arg(library(package)).stderr(Stdio::null());
    let done = strip.status().is_ok_and(|status| status.success());
    fs::read(if done { &output } else { library(package) }).unwrap()
}
