//! What lies outside of a file is tried again.

use std::{
    ffi::OsStr,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use hotbay_tests::{ConfigFile, PluginsFolder, Run, Signal, hotbay, until};

use super::{
    RELOAD, is_in_service, may_mount, needing_a_library, refusal, start, until_in_service,
};

fn set_mode(folder: &PluginsFolder, mode: u32) {
    fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_folder_that_others_could_write_is_tried_again_by_itself() {
    let folder = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::new(&folder, RELOAD);
    set_mode(&folder, 0o777);
    let running = start(&config);
    let refused = refusal(&config, "libhello.so");
    assert_eq!(refused["code"], "writable-by-others");
    assert!(refused["remedy"].as_str().unwrap().contains("chmod go-w"), "{refused}");
    set_mode(&folder, 0o755);
    until_in_service(&config, "hello");
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn a_refusal_that_lasts_is_logged_once_however_often_it_is_tried_again() {
    let folder = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::new(&folder, RELOAD);
    let running = start(&config);
    until_in_service(&config, "hello");
    set_mode(&folder, 0o777);
    folder.add("logs");
    refusal(&config, "liblogs.so");
    for times in 1..=2 {
        running.signal(Signal::Hangup);
        until("it is tried again", || {
            (running.stderr().matches("still refused").count() >= times).then_some(())
        });
    }
    let log = running.stderr();
    let said = log.lines().filter(|it| it.contains("ERROR") && it.contains("liblogs.so"));
    assert_eq!(said.count(), 1, "{log}");
    set_mode(&folder, 0o755);
    running.signal(Signal::Hangup);
    until_in_service(&config, "logs");
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

/// Mounts a small temporary folder, fills it, and makes room again when there is a file with the name
/// in `MAKE_ROOM`. Then executes its arguments.
const IN_A_FULL_FOLDER: &str = r#"
mount -t tmpfs -o size=16m none "$TMPDIR"
dd if=/dev/zero of="$TMPDIR/full" bs=1M count=16 2>/dev/null
(
    tries=0
    while [ ! -e "$MAKE_ROOM" ] && [ $tries -lt 600 ]; do sleep 0.1; tries=$((tries + 1)); done
    rm "$TMPDIR/full"
) >/dev/null 2>&1 &
exec "$@"
"#;

#[test]
fn a_full_temporary_folder_is_named_and_the_plugin_comes_when_there_is_room() {
    if !may_mount() {
        return;
    }
    let folder = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::new(&folder, RELOAD);
    let temporary = tempfile::tempdir().unwrap();
    let room = temporary.path().join("room");
    let small = temporary.path().join("small");
    fs::create_dir(&small).unwrap();
    let path = config.path();
    let run = [hotbay().as_os_str(), "run".as_ref(), path.as_os_str()];
    let shell = ["-rm", "/bin/sh", "-c", IN_A_FULL_FOLDER, "sh"].map(OsStr::new);
    let run = Run::of(Path::new("unshare"), shell.into_iter().chain(run)).log("info");
    let running = run.env("TMPDIR", &small).env("MAKE_ROOM", &room).start();
    let refused = refusal(&config, "libhello.so");
    assert!(refused["reason"].as_str().unwrap().contains("no room is left"), "{refused}");
    assert!(refused["remedy"].as_str().unwrap().contains("TMPDIR"), "{refused}");
    fs::write(&room, "").unwrap();
    // Its children say nothing about when they are done.
    until("hello in service", || {
        running.signal(Signal::Hangup);
        is_in_service(&config, "hello")
    });
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

/// The path of the C compiler's library on this system.
fn libgcc() -> PathBuf {
    let mappings = hotbay_tests::proc::mappings("self");
    let found = mappings.into_iter().find(|path| path.contains("libgcc_s"));
    found.expect("this test's process maps it").into()
}

#[test]
fn a_library_that_was_missing_is_found_on_request_when_it_is_installed() {
    let folder = PluginsFolder::with(&[]);
    folder.write("libhello.so", &needing_a_library("hello"));
    let libraries = tempfile::tempdir().unwrap();
    let config = ConfigFile::new(&folder, RELOAD);
    let running =
        Run::config(config.path()).log("info").env("LD_LIBRARY_PATH", libraries.path()).start();
    let refused = refusal(&config, "libhello.so");
    assert_eq!(refused["code"], "linking");
    assert!(refused["reason"].as_str().unwrap().contains("libgcc_x.so.1"), "{refused}");
    fs::copy(libgcc(), libraries.path().join("libgcc_x.so.1")).unwrap();
    running.signal(Signal::Hangup);
    until_in_service(&config, "hello");
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}
