//! A reason names the true cause, and the remedy belongs to it.

use std::{fs, path::Path};

use hotbay_tests::{PluginsFolder, Run, hotbay, library};

use super::{inspect, may_mount, needing_a_library};

#[test]
fn a_library_beside_the_plugin_is_refused_with_what_to_do() {
    let folder = PluginsFolder::with(&[]);
    folder.write("libgcc_x.so.1", b"it lies here in vain");
    let file = folder.write("libhello.so", &needing_a_library("hello"));
    let ended = inspect(&file).expect_code(2);
    ended.expect_stderr(&[
        "libgcc_x.so.1: cannot open shared object file",
        "[linking]",
        "what lies beside the plugin (`$ORIGIN`) is not found",
        "LD_LIBRARY_PATH",
    ]);
    assert!(!ended.stderr.contains("libc;") && !ended.stderr.contains("older libc"));
}

#[test]
fn a_library_of_another_abi_stable_is_refused_with_both_versions() {
    let mut bytes = fs::read(library("hello")).unwrap();
    let magic = b"abi stable library for Rust";
    let places = bytes.windows(magic.len()).enumerate().filter(|(_, it)| it == magic);
    let places: Vec<_> = places.map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "the header of abi_stable");
    for at in places {
        // Behind the magic text of 32 bytes come the major and the minor version.
        bytes[at + 36..at + 40].copy_from_slice(&77u32.to_le_bytes());
    }
    let folder = PluginsFolder::with(&[]);
    let ended = inspect(&folder.write("libhello.so", &bytes)).expect_code(2);
    ended.expect_stderr(&["[layout]", "abi_stable 0.77, this host with abi_stable 0.1", "rebuild"]);
}

/// What `hotbay plugin list` says of a folder with one plugin if it is started by this command, which
/// executes its arguments at its end.
fn list_through(script: &str) -> String {
    let folder = PluginsFolder::with(&["hello"]);
    let begin = ["-c".as_ref(), script.as_ref(), "sh".as_ref(), hotbay().as_os_str()];
    let list = ["plugin".as_ref(), "list".as_ref(), folder.path().as_os_str()];
    Run::of(Path::new("/bin/sh"), begin.into_iter().chain(list)).finish().stderr
}

#[test]
fn a_host_without_descriptors_says_so() {
    // Far below what a probe needs, and enough for the program to start.
    let said = list_through("ulimit -n 9 && exec \"$@\"");
    assert!(said.contains("no descriptor is left"), "{said}");
}

#[test]
fn a_host_without_proc_or_dev_says_what_is_missing() {
    if !may_mount() {
        return;
    }
    for (missing, text) in [("/proc", "/proc is not mounted"), ("/dev", "there is no /dev/null")] {
        let mount = format!("mount -t tmpfs none {missing} && exec \"$@\"");
        let said = list_through(&format!("exec unshare -rm /bin/sh -c '{mount}' sh \"$@\""));
        assert!(said.contains(text), "{missing}: {said}");
        assert!(!said.contains("no such file"), "{missing}: {said}");
    }
}
