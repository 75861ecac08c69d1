//! Files that are written, overwritten, cut short and renamed under the host's eyes: it
//! loads what is whole, and what it says is loaded is what it loaded.

#![expect(clippy::unwrap_used, reason = "what can not be done here fails the test")]

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
    thread,
    time::Duration,
};

use hotbay_tests::{
    ConfigFile, PluginsFolder, Run, Running, Signal, another_build, library, put, until,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

const RELOAD: &str = "reload: { settle: 50ms, probation: 0s }\n";

/// A host with the plugin `hello`, and the file that it is in.
struct Hello {
    folder: PluginsFolder,
    config: ConfigFile,
    running: Running,
}

impl Hello {
    fn start() -> Self {
        let folder = PluginsFolder::with(&["hello"]);
        let config = ConfigFile::new(&folder, RELOAD);
        let running = Run::config(config.path()).start();
        let hello = Self { folder, config, running };
        until("hello is in service", || hello.in_service());
        hello
    }

    /// The hash of the build in service.
    fn in_service(&self) -> Option<String> {
        let status = self.config.status()?;
        let plugin = status["plugins"].as_array()?.iter().find(|it| it["name"] == "hello")?.clone();
        plugin["hash"].as_str().map(str::to_owned)
    }

    fn expect(&self, bytes: &[u8]) {
        let hash = hash(bytes);
        until("what is in the file is in service", || {
            (self.in_service().as_deref() == Some(hash.as_str())).then_some(())
        });
    }

    fn stop(self) {
        self.running.signal(Signal::Terminate);
        let ended = self.running.wait().expect_code(0);
        assert_eq!(ended.report().problems(), [""; 0]);
    }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes over a file, in pieces, with pauses that are long enough to be seen.
fn in_pieces(path: &Path, bytes: &[u8], pieces: usize, pause: Duration) {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path).unwrap();
    for piece in bytes.chunks(bytes.len() / pieces + 1) {
        file.write_all(piece).unwrap();
        thread::sleep(pause);
    }
}

fn half_written(times: u64, pause: Duration) {
    let hello = Hello::start();
    let file = hello.folder.file_of("hello");
    for number in 1..=times {
        let before = hello.in_service();
        let bytes = another_build(library("hello"), number);
        in_pieces(&file, &bytes, 5, pause);
        let records = hello.config.records();
        assert!(
            hello.in_service() == before || hello.in_service() == Some(hash(&bytes)),
            "the old build or the whole new one"
        );
        assert!(records.iter().all(|it| it["outcome"] == "replaced"), "{records:?}");
        hello.expect(&bytes);
    }
    hello.stop();
}

/// What somebody does to the file of a loaded plugin.
fn mistreated(times: u64, mistreat: impl Fn(&Hello, &Path, u64) -> Vec<u8>) {
    let hello = Hello::start();
    let file = hello.folder.file_of("hello");
    for number in 1..=times {
        let bytes = mistreat(&hello, &file, number);
        hello.expect(&bytes);
    }
    hello.stop();
}

fn overwritten(hello: &Hello, file: &Path, number: u64) -> Vec<u8> {
    let before = hello.in_service();
    let mut bytes = fs::read(file).unwrap();
    // In place, the same size: a mapped file would change under the code that runs.
    let garbage = vec![0xA5; bytes.len()];
    OpenOptions::new().write(true).open(file).unwrap().write_all(&garbage).unwrap();
    if number % 8 == 1 {
        until("the garbage is refused", || refused(hello, file));
        assert_eq!(hello.in_service(), before, "the old build goes on");
    }
    bytes.extend_from_slice(&number.to_le_bytes());
    put(file, &bytes);
    bytes
}

fn cut_short(hello: &Hello, file: &Path, number: u64) -> Vec<u8> {
    let before = hello.in_service();
    let length = fs::metadata(file).unwrap().len();
    let open = OpenOptions::new().write(true).open(file).unwrap();
    open.set_len(length * (number % 7) / 7).unwrap();
    thread::sleep(Duration::from_millis(60));
    assert_eq!(hello.in_service(), before, "the old build goes on");
    let bytes = another_build(library("hello"), number);
    put(file, &bytes);
    bytes
}

fn renamed(hello: &Hello, file: &Path, number: u64) -> Vec<u8> {
    let other = file.with_file_name(format!("other-{number}.so"));
    fs::rename(file, &other).unwrap();
    until("its other name is known", || {
        let status = hello.config.status()?;
        let known =
            status["plugins"].as_array()?.iter().any(|it| it["file"] == other.to_str().unwrap());
        known.then_some(())
    });
    fs::rename(&other, file).unwrap();
    fs::read(file).unwrap()
}

fn refused(hello: &Hello, file: &Path) -> Option<Value> {
    let status = hello.config.status()?;
    status["refused"].as_array()?.iter().find(|it| it["file"] == file.to_str().unwrap()).cloned()
}

#[test]
fn a_library_written_in_pieces_is_loaded_when_it_is_whole() {
    // Pauses shorter and longer than the time to settle.
    half_written(3, Duration::from_millis(20));
    half_written(3, Duration::from_millis(120));
}

#[test]
fn a_loaded_library_may_be_overwritten() {
    mistreated(9, overwritten);
}

#[test]
fn a_loaded_library_may_be_cut_short() {
    mistreated(10, cut_short);
}

#[test]
fn a_loaded_library_may_be_renamed() {
    mistreated(10, renamed);
}

#[test]
#[ignore = "takes minutes; run with --ignored"]
fn two_hundred_libraries_are_written_in_pieces_over_seconds() {
    half_written(200, Duration::from_millis(400));
}

#[test]
#[ignore = "takes minutes; run with --ignored"]
fn a_loaded_library_is_overwritten_cut_short_and_renamed_two_hundred_times_each() {
    mistreated(200, overwritten);
    mistreated(200, cut_short);
    mistreated(200, renamed);
}
