//! A plugin whose panics would end the host is told apart before one of them does.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::fs;

use hotbay_tests::{ConfigFile, PluginsFolder, Run, library};

/// The library of `hello`, with the descriptor of one that was built with `panic = "abort"`.
fn aborting() -> Vec<u8> {
    let mut bytes = fs::read(library("hello")).unwrap();
    // The magic and the API version of the descriptor, which its flags follow.
    let head = b"HOTBAY\x00\x01\x03\x00\x00\x00";
    let at = bytes.windows(head.len()).position(|it| it == head).unwrap();
    bytes[at + head.len()] |= 1;
    bytes
}

#[test]
fn a_plugin_that_aborts_on_panic_is_warned_about_wherever_it_is_looked_at() {
    let folder = PluginsFolder::with(&[]);
    let file = folder.write("libhello.so", &aborting());
    let text = "built with `panic = \"abort\"`: a panic in it ends the host";
    let config = ConfigFile::new(&folder, "");
    let command = |words: [&str; 2], path: &std::path::Path| {
        let words = words.into_iter().filter(|word| !word.is_empty()).map(AsRef::as_ref);
        Run::new(words.chain([path.as_os_str()])).finish().expect_code(0)
    };
    command(["validate", ""], &config.path()).expect_stderr(&["libhello.so", text, "unwind"]);
    let inspected = command(["plugin", "inspect"], &file).stdout;
    assert!(inspected.contains(text), "{inspected}");
    let plain = command(["plugin", "inspect"], library("hello")).stdout;
    assert!(!plain.contains("abort"), "{plain}");
}
