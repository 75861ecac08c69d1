//! Plugins that the dynamic linker would never unmap, because of a flag of their library or because
//! of a unique symbol: they are replaced like all others, and `plugin inspect` names it.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{collections::BTreeSet, fs, path::Path};

use hotbay_tests::{
    ConfigFile, PluginsFolder, Run, Running, Signal, build_with_unique, library, proc::mappings,
    put, until,
};
use serde_json::Value;

fn inspect(file: &Path, more: &[&str]) -> String {
    let arguments = ["plugin".as_ref(), "inspect".as_ref(), file.as_os_str()];
    let more = more.iter().map(std::ffi::OsStr::new);
    let ended = Run::new(arguments.into_iter().chain(more)).finish().expect_code(0);
    assert_eq!(ended.stderr, "");
    ended.stdout
}

/// What `plugin inspect` shows about unloading, after its table was checked for these texts.
fn unloading(file: &Path, texts: &[&str]) -> Value {
    let table = inspect(file, &[]);
    for text in texts {
        assert!(table.contains(text), "{text} is missing in:\n{table}");
    }
    let json: Value = serde_json::from_str(&inspect(file, &["--output", "json"])).unwrap();
    json["unloading"].clone()
}

#[test]
fn an_ordinary_plugin_is_inspected_as_one_that_can_be_unloaded() {
    let shown = unloading(library("hello"), &["unload  yes\n"]);
    let flags = [&shown["possible"], &shown["nodelete"], &shown["static_tls"]];
    assert_eq!(flags, [true, false, false], "{shown:#}");
    assert_eq!(
        (&shown["unique_symbols"], &shown["notes"]),
        (&Value::Array(vec![]), &Value::Array(vec![]))
    );
}

#[test]
fn a_plugin_that_is_linked_with_nodelete_is_inspected_as_such() {
    let shown = unloading(library("nodelete"), &["unload  yes\n", "DF_1_NODELETE", "-z nodelete"]);
    assert_eq!((&shown["possible"], &shown["nodelete"]), (&true.into(), &true.into()), "{shown:#}");
    assert_eq!(shown["notes"].as_array().unwrap().len(), 1, "{shown:#}");
}

#[test]
fn a_plugin_with_a_unique_symbol_is_inspected_as_such() {
    let folder = PluginsFolder::with(&[]);
    let symbol = "hotbay_plugin_entry_hello";
    let file = folder.write("unique.so", &build_with_unique(library("hello"), symbol));
    let shown = unloading(&file, &["unload  yes\n", "STB_GNU_UNIQUE", symbol]);
    assert_eq!(
        (&shown["possible"], &shown["nodelete"]),
        (&true.into(), &false.into()),
        "{shown:#}"
    );
    assert_eq!(shown["unique_symbols"][0], symbol);
}

/// Otherwise the library would use the symbol of the build that it came with, and each later build
/// its own.
#[test]
fn a_unique_symbol_that_a_library_of_the_plugin_uses_stays_unique_and_the_reason_is_shown() {
    let folder = PluginsFolder::with(&[]);
    let (package, symbol) = ("entangled", "hotbay_plugin_descriptor_entangled");
    let file = folder.write("shared.so", &build_with_unique(library(package), symbol));
    let other = "libhotbay-entangled.so";
    let shown = unloading(&file, &["unload  no\n", symbol, other, "-fno-gnu-unique"]);
    assert_eq!(shown["possible"], false, "{shown:#}");
    let why = &shown["unique_kept"]["shared-with"];
    assert_eq!((&why["symbol"], &why["library"]), (&symbol.into(), &other.into()), "{shown:#}");
}

/// A host with one plugin, which `build` makes in as many builds as a test needs.
struct Scene<'a> {
    folder: PluginsFolder,
    config: ConfigFile,
    running: Running,
    build: &'a dyn Fn(u64) -> Vec<u8>,
}

impl<'a> Scene<'a> {
    fn start(plugin: &str, task: &str, build: &'a dyn Fn(u64) -> Vec<u8>) -> Self {
        let folder = PluginsFolder::with(&[]);
        put(&folder.path().join("plugin.so"), &build(0));
        let tasks = format!("tasks: [{{ plugin: {plugin}, task: {task}, interval: 10ms }}]");
        let reload = "reload: { settle: 20ms, probation: 0s }";
        let config = ConfigFile::new(&folder, &format!("{reload}\n{tasks}\n"));
        let running = Run::config(config.path()).start();
        until("the host runs", || config.status());
        Self { folder, config, running, build }
    }

    /// Puts another build in place and waits until it runs.
    fn replace(&self, number: u64) {
        let (before, _) = self.in_service().expect("a build is in service");
        put(&self.folder.path().join("plugin.so"), &(self.build)(number));
        until("the new build is in service", || {
            self.in_service().is_some_and(|(hash, _)| hash != before).then_some(())
        });
    }

    /// The hash of the build in service, and the number of runs.
    fn in_service(&self) -> Option<(String, u64)> {
        let status = self.config.status()?;
        let mut plugins = status["plugins"].as_array()?.iter();
        let plugin = plugins.find(|it| it["state"] == "in-service")?;
        let runs = status["tasks"][0]["runs"].as_u64()?;
        assert_eq!(status["tasks"][0]["failed"], 0, "{status:#}");
        Some((plugin["hash"].as_str()?.to_owned(), runs))
    }

    /// The private copies of which something is mapped.
    fn mapped(&self) -> BTreeSet<String> {
        let paths = mappings(self.running.id()).into_iter();
        paths.filter(|path| path.contains("hotbay-staging-")).collect()
    }
}

fn replaced(plugin: &str, task: &str, build: &dyn Fn(u64) -> Vec<u8>, times: u64) {
    let scene = Scene::start(plugin, task, build);
    for number in 1..=times {
        scene.replace(number);
    }
    let (hash, before) = scene.in_service().expect("a build is in service");
    until("the last build has run", || (scene.in_service()?.1 > before).then_some(()));
    let mapped = until("the old builds are gone", || {
        let mapped = scene.mapped();
        (mapped.len() == 1).then_some(mapped)
    });
    assert!(mapped.iter().all(|path| path.contains(&hash[..16])), "{mapped:?}");
    let records = scene.config.records();
    assert_eq!(records.len() as u64, times, "one record each");
    assert!(records.iter().all(|record| record["outcome"] == "replaced"), "{records:?}");
    scene.running.signal(Signal::Terminate);
    let report = scene.running.wait().expect_code(0).report();
    assert_eq!(report.problems(), [""; 0]);
}

/// Other bytes behind the end of the library make another build.
fn numbered(mut bytes: Vec<u8>, number: u64) -> Vec<u8> {
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes
}

fn nodelete(number: u64) -> Vec<u8> {
    numbered(fs::read(library("nodelete")).unwrap(), number)
}

fn unique(number: u64) -> Vec<u8> {
    numbered(build_with_unique(library("hello"), "hotbay_plugin_entry_hello"), number)
}

#[test]
fn a_plugin_that_is_linked_with_nodelete_is_replaced_more_often_than_builds_may_stay_mapped() {
    replaced("nodelete", "nothing", &nodelete, 20);
}

#[test]
fn so_is_a_plugin_with_a_unique_symbol() {
    replaced("hello", "greet", &unique, 20);
}

#[test]
fn so_is_a_plugin_whose_library_is_never_unmapped() {
    let build = |number| numbered(fs::read(library("needs-nodelete")).unwrap(), number);
    replaced("needs-nodelete", "call", &build, 10);
}

/// Replaces a build once, and returns why the first one is still mapped.
fn reason_of_first(plugin: &str, task: &str, build: &dyn Fn(u64) -> Vec<u8>) -> String {
    let scene = Scene::start(plugin, task, build);
    until("the first build has run", || (scene.in_service()?.1 > 0).then_some(()));
    scene.replace(1);
    let reason = until("the first build is named", || {
        let status = scene.config.status()?;
        let mut plugins = status["plugins"].as_array()?.iter();
        let leaked = plugins.find(|it| it["state"] == "leaked")?;
        Some(leaked["reason"].as_str()?.to_owned())
    });
    scene.running.signal(Signal::Terminate);
    scene.running.wait().expect_code(0).expect_stderr(&[&reason]);
    reason
}

#[test]
fn a_build_that_stays_because_of_a_shared_unique_symbol_is_named_with_this_reason() {
    let symbol = "hotbay_plugin_descriptor_entangled";
    let build = |number| numbered(build_with_unique(library("entangled"), symbol), number);
    let reason = reason_of_first("entangled", "find", &build);
    let expected = format!("it defines the unique symbol `{symbol}` (STB_GNU_UNIQUE)");
    assert!(reason.starts_with(&expected), "{reason}");
}

#[test]
fn a_build_that_stays_because_a_library_uses_it_is_named_with_this_reason() {
    let build = |number| numbered(fs::read(library("entangled")).unwrap(), number);
    let expected = "it has the symbol `hotbay_plugin_descriptor_entangled` in common with \
                    libhotbay-entangled.so, which is never unmapped";
    assert_eq!(reason_of_first("entangled", "find", &build), expected);
}

#[test]
fn a_build_that_opened_itself_is_named_with_this_reason() {
    let build = |number| numbered(fs::read(library("opens-itself")).unwrap(), number);
    let reason = reason_of_first("opens-itself", "open", &build);
    // It has thread-locals with destructors, too, and the linker does not tell which of the two.
    let expected = "it has opened itself with `dlopen` and not closed, or a thread outside of its \
                    bay holds a thread-local of it";
    assert!(reason.starts_with(expected), "{reason}");
}

/// glibc gives the room of such thread-locals back only if libraries are unmapped in the reverse
/// order of their loading, which a replacement is not.
#[test]
fn a_build_without_room_for_its_static_thread_locals_is_refused_with_what_to_do() {
    unloading(library("static-locals"), &["unload  yes\n", "DF_STATIC_TLS"]);
    let build = |number| numbered(fs::read(library("static-locals")).unwrap(), number);
    let scene = Scene::start("static-locals", "use", &build);
    let refused = (1..40).find_map(|number| {
        put(&scene.folder.path().join("plugin.so"), &build(number));
        let records = until("the build is replaced or refused", || {
            let records = scene.config.records();
            (records.len() as u64 == number).then_some(records)
        });
        records.last().filter(|record| record["outcome"] == "refused").cloned()
    });
    let reason = refused.expect("there is room for few builds")["reason"].to_string();
    for text in ["static TLS", "-ftls-model=global-dynamic", "restart the host"] {
        assert!(reason.contains(text), "{text} is missing in: {reason}");
    }
    until("the old build goes on", || scene.in_service());
    scene.running.signal(Signal::Terminate);
    drop(scene.running.wait().expect_code(0));
}

/// Run it with `cargo test -p hotbay-tests --test never_unmapped -- --ignored`.
#[test]
#[ignore = "takes minutes; run with --ignored"]
fn a_thousand_builds_that_are_linked_with_nodelete_leave_no_mapping() {
    replaced("nodelete", "nothing", &nodelete, 1_000);
}
