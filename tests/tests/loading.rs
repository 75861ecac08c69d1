//! What the loader takes, what it refuses, and what it says then.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use hotbay_tests::{ConfigFile, Ended, PluginsFolder, Run, hotbay, library};
use serde_json::Value;

/// `hotbay plugin inspect` of a file that is to be refused: by reason, with a remedy.
fn refused(file: &Path) -> Ended {
    let ended = Run::new(["plugin".as_ref(), "inspect".as_ref(), file.as_os_str()]).finish();
    let ended = ended.expect_code(2);
    assert_eq!(ended.stdout, "");
    assert_eq!(ended.stderr.lines().count(), 1, "one message:\n{}", ended.stderr);
    ended.expect_stderr(&[file.to_str().unwrap()]);
    ended
}

#[test]
fn a_good_plugin_is_listed_with_what_it_brings() {
    let folder = PluginsFolder::with(&["hello"]);
    let list = Run::new(["plugin".as_ref(), "list".as_ref(), folder.path().as_os_str()]);
    let ended = list.finish().expect_code(0);
    for text in ["hello", "connector `count`", "task `greet`", "task `heartbeat`", "libhello.so"] {
        assert!(ended.stdout.contains(text), "{text} is missing in:\n{}", ended.stdout);
    }
    assert_eq!(ended.stderr, "");
}

#[test]
fn a_good_plugin_is_inspected_in_json_with_its_build_and_its_schema() {
    let json = ["--output", "json"].map(std::ffi::OsStr::new);
    let mut arguments = vec!["plugin".as_ref(), "inspect".as_ref(), library("hello").as_os_str()];
    arguments.extend(json);
    let ended = Run::new(arguments).finish().expect_code(0);
    let shown: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(shown["sha256"].as_str().unwrap().len(), 64);
    assert!(shown["rustc"].as_str().unwrap().starts_with("rustc 1."), "{shown:#}");
    let component = &shown["manifest"]["components"][0];
    assert_eq!(component["role"], "connector");
    assert_eq!(component["outputs"][0]["name"], "numbers");
    assert_eq!(component["config_schema"]["properties"]["to"]["description"], "The last number.");
}

#[test]
fn a_plugins_task_kinds_are_shown_with_their_parameters() {
    let file = library("hello").as_os_str();
    let ended = Run::new(["plugin".as_ref(), "inspect".as_ref(), file]).finish().expect_code(0);
    for text in [
        "task kind `count-primes`  Counts the primes below a number",
        "sync",
        "below",
        "integer",
        "required",
        "The number that no prime reaches.",
    ] {
        assert!(ended.stdout.contains(text), "{text} is missing in:\n{}", ended.stdout);
    }
}

#[test]
fn a_text_file_named_so_is_refused() {
    let folder = PluginsFolder::with(&[]);
    let file = folder.write("notes.so", b"these are notes\n");
    refused(&file).expect_stderr(&["is not an ELF shared library", "crate-type"]);
}

#[test]
fn an_empty_file_is_refused() {
    let folder = PluginsFolder::with(&[]);
    refused(&folder.write("empty.so", b"")).expect_stderr(&["the file is empty"]);
}

#[test]
fn a_library_cut_short_anywhere_is_refused_and_harms_nobody() {
    let whole = fs::read(library("not-a-plugin")).unwrap();
    let hello = fs::read(library("hello")).unwrap();
    let folder = PluginsFolder::with(&[]);
    let cuts = [1, 16, 64, 100, 1_000, 4_096, 10_000, 100_000];
    let eighths = (1..8).map(|eighth| hello.len() / 8 * eighth);
    for cut in cuts.into_iter().chain(eighths).chain([hello.len() - 1]) {
        let file = folder.write("cut.so", &hello[..cut]);
        let ended = refused(&file);
        let known = ["not an ELF", "not a Hotbay plugin", "crashed the probe", "cannot be linked"];
        assert!(known.iter().any(|it| ended.stderr.contains(it)), "{cut}: {}", ended.stderr);
    }
    refused(&folder.write("other.so", &whole[..whole.len() / 2]));
}

#[test]
fn a_library_of_another_api_version_is_refused_without_running_it() {
    refused(library("wrong-api")).expect_stderr(&[
        "plugin wrong-api was built for plugin API 99, this host speaks 3",
        "rebuild it with the hotbay-plugin-api of this host's version",
    ]);
}

#[test]
fn a_library_that_is_no_plugin_is_refused() {
    refused(library("not-a-plugin"))
        .expect_stderr(&["not a Hotbay plugin", "call `hotbay_plugin_api::export_plugin!`"]);
}

#[test]
fn a_library_that_crashes_while_it_loads_harms_its_probe_only() {
    refused(library("crashes-on-load")).expect_stderr(&["crashed the probe", "SIGSEGV"]);
    refused(library("aborts-on-load")).expect_stderr(&["crashed the probe", "SIGABRT"]);
}

#[test]
fn a_library_that_hangs_while_it_loads_is_given_up_after_the_limit() {
    let folder = PluginsFolder::with(&["hangs", "hello"]);
    let path = folder.path().display();
    let config = format!("plugins: {{ folder: {path}, probe_timeout: 300ms }}\n");
    let config = ConfigFile::verbatim(&config);
    let ended = Run::new(["validate".as_ref(), config.path().as_os_str()]).finish().expect_code(0);
    ended.expect_stderr(&["libhangs.so", "did not come up within 300ms in the probe"]);
    assert!(ended.stdout.contains("0 components, 3 tasks"), "{}", ended.stdout);
}

#[test]
fn a_library_that_starts_a_process_while_it_loads_is_refused() {
    refused(library("forks-on-load"))
        .expect_stderr(&["crashed the probe", "it tried to start or to signal a process"]);
}

#[test]
fn a_library_that_crashes_while_it_is_unloaded_is_refused() {
    refused(library("crashes-on-unload"))
        .expect_stderr(&["crashed the probe (SIGABRT, it aborted, when it was unloaded)"]);
}

#[test]
fn a_probed_library_finds_nothing_of_the_hosts_and_is_held_within_limits() {
    // The host itself is given a variable, a descriptor and a folder to pass on.
    let line = "exec 9</etc/passwd; exec \"$0\" plugin inspect \"$1\"";
    let arguments = ["-c".as_ref(), line.as_ref(), hotbay().as_os_str()];
    let library = library("looks-around").as_os_str();
    let run = Run::of(Path::new("/bin/sh"), arguments.into_iter().chain([library]));
    let ended = run.env("SECRET", "of the host").finish().expect_code(0);
    assert!(ended.stdout.starts_with("looks-around "), "{}", ended.stdout);
}

#[test]
fn a_symbolic_link_and_a_folder_are_refused() {
    let folder = PluginsFolder::with(&[]);
    let link = folder.path().join("link.so");
    std::os::unix::fs::symlink(library("hello"), &link).unwrap();
    refused(&link).expect_stderr(&["is a symbolic link", "put a copy of the file there"]);
    let inner = folder.path().join("inner.so");
    fs::create_dir(&inner).unwrap();
    refused(&inner).expect_stderr(&["is not a regular file"]);
    refused(&folder.path().join("none.so")).expect_stderr(&["there is no such file"]);
}

#[test]
fn what_others_can_write_is_refused_and_taken_once_they_can_not() {
    let folder = PluginsFolder::with(&["hello"]);
    let file = folder.path().join("libhello.so");
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    mode(&file, 0o666);
    refused(&file).expect_stderr(&[
        "can be written by others (mode 0666, group",
        "[writable-by-others]",
        "`chmod go-w` the file",
    ]);
    mode(&file, 0o644);
    mode(folder.path(), 0o777);
    refused(&file).expect_stderr(&["lies in a folder that can be written by others (mode 0777"]);
    mode(folder.path(), 0o755);
    let inspect = Run::new(["plugin".as_ref(), "inspect".as_ref(), file.as_os_str()]);
    assert_eq!(inspect.finish().expect_code(0).stderr, "");
}

#[test]
fn a_file_of_eight_gigabytes_is_refused_at_once() {
    let folder = PluginsFolder::with(&[]);
    let file = folder.write("sparse.so", b"");
    File::options().write(true).open(&file).unwrap().set_len(8 << 30).unwrap();
    refused(&file).expect_stderr(&["has 8589934592 bytes, more than the cap of", "[too-large]"]);
}

#[test]
fn a_bad_file_beside_a_good_plugin_is_a_warning_and_the_good_one_loads() {
    let folder = PluginsFolder::with(&["hello", "wrong-api", "not-a-plugin"]);
    folder.write("notes.so", b"these are notes\n");
    folder.write("README.txt", b"not our business\n");
    let arguments = ["plugin", "list", folder.path().to_str().unwrap(), "--output", "json"];
    let ended = Run::new(arguments).finish().expect_code(0);
    let list: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(list["plugins"].as_array().unwrap().len(), 1);
    let reason = |refused: &Value| refused["reason"].as_str().unwrap().to_owned();
    let mut reasons: Vec<_> = list["refused"].as_array().unwrap().iter().map(reason).collect();
    reasons.sort();
    assert_eq!(reasons, ["api-version", "not-a-library", "not-a-plugin"]);
}

#[test]
fn the_same_plugin_twice_is_a_mistake_that_validate_names() {
    let folder = PluginsFolder::with(&["hello"]);
    folder.write("second.so", &fs::read(library("hello")).unwrap());
    let config = ConfigFile::new(&folder, "");
    let ended = Run::new(["validate".as_ref(), config.path().as_os_str()]).finish().expect_code(2);
    ended.expect_stderr(&["second.so", "is plugin hello, which was loaded from", "libhello.so"]);
}

#[test]
fn a_folder_of_plugins_that_is_missing_is_named() {
    let ended = Run::new(["plugin", "list", "/nowhere/plugins"]).finish().expect_code(2);
    ended.expect_stderr(&["/nowhere/plugins", "No such file or directory", "name a folder"]);
}
