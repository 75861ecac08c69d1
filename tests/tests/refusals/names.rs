//! Which files of the plugins folder count, and which settings.

use hotbay_tests::{ConfigFile, PluginsFolder, Run, Signal, library, until};

use super::{RELOAD, is_refused, refusal, start, until_in_service, validate};

#[test]
fn a_hidden_library_counts_neither_at_the_start_nor_in_a_list() {
    let folder = PluginsFolder::with(&["logs"]);
    folder.write(".libhello.so", &std::fs::read(library("hello")).unwrap());
    folder.write("._liblogs.so", b"Mac OS X        ");
    let list = Run::new(["plugin".as_ref(), "list".as_ref(), folder.path().as_os_str()]);
    let listed = list.finish().expect_code(0);
    assert!(listed.stdout.contains("logs") && !listed.stdout.contains("hello"), "{listed:?}");
    assert_eq!(listed.stderr, "");
    let config = ConfigFile::new(&folder, RELOAD);
    let running = start(&config);
    until_in_service(&config, "logs");
    let status = config.status().unwrap();
    assert_eq!(status["plugins"].as_array().unwrap().len(), 1, "{status:#}");
    assert_eq!(status["refused"].as_array().unwrap().len(), 0, "{status:#}");
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn a_refused_file_that_is_renamed_is_refused_under_its_new_name_alone() {
    let folder = PluginsFolder::with(&["asks"]);
    let config = ConfigFile::new(&folder, RELOAD);
    let running = start(&config);
    let before = refusal(&config, "libasks.so");
    let reason = before["reason"].as_str().unwrap();
    assert!(reason.contains("libasks.so: task `never`"), "{reason}");
    std::fs::rename(folder.path().join("libasks.so"), folder.path().join("libnews.so")).unwrap();
    let after = refusal(&config, "libnews.so");
    assert_eq!(after["reason"], reason.replace("libasks.so", "libnews.so"));
    until("the old name is gone", || (!is_refused(&config, "libasks.so")).then_some(()));
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}

#[test]
fn a_settings_file_without_content_has_no_settings() {
    let folder = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::new(&folder, "");
    for content in ["", "# nothing yet\n", "\n\n"] {
        folder.write("hello.yaml", content.as_bytes());
        drop(validate(&config).expect_code(0));
    }
    folder.write("hello.yaml", b"plugins: { folder: ./plugins }\n");
    validate(&config).expect_code(2).expect_stderr(&["hello.yaml:1:1: unknown key `plugins`"]);
}

#[test]
fn settings_in_a_yml_file_are_read_and_watched() {
    let folder = PluginsFolder::with(&["hello"]);
    let config = ConfigFile::new(&folder, RELOAD);
    folder.write("hello.yml", b"tasks: { heartbeat: { intervall: 1s } }\n");
    validate(&config).expect_code(2).expect_stderr(&["hello.yml:1:", "intervall"]);
    folder.write("hello.yml", b"tasks: { heartbeat: { interval: 1h } }\n");
    let running = start(&config);
    until_in_service(&config, "hello");
    folder.write("hello.yml", b"tasks: { heartbeet: { interval: 1h } }\n");
    assert_eq!(refusal(&config, "hello.yml")["code"], "settings");
    folder.write("hello.yaml", b"tasks: {}\n");
    running.wait_for_log("join the two files");
    running.signal(Signal::Terminate);
    drop(running.wait().expect_code(0));
}
