//! Plugins that own something outside of the host: it passes from build to build, and nothing is lost.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use hotbay_tests::{
    ConfigFile, PluginsFolder, Report, Run, Running, Signal, build_that, library, put, until,
};
use rusqlite::Connection;
use serde_json::Value;

const CHANNELS: &str = "\
reload: { settle: 20ms }
channels:
  raw: { capacity: 4096 }
  merged: { capacity: 4096 }
  passed: { capacity: 4096 }
";

/// Puts a build there that fails, and waits until the one before is back.
fn roll_back(folder: &PluginsFolder, config: &ConfigFile, plugin: &str, number: u64) {
    let records = config.records().len();
    let mut failing = build_that(library(plugin), "fails");
    failing.extend_from_slice(&number.to_le_bytes());
    put(&folder.file_of(plugin), &failing);
    let record = until("the build is rolled back", || {
        let records = config.records().into_iter().skip(records);
        records.into_iter().find(|it| it["outcome"] == "rolled-back")
    });
    assert!(record["reason"].as_str().unwrap().contains("as its build says"), "{record}");
}

fn stop(running: Running) -> Report {
    running.signal(Signal::Terminate);
    running.wait().expect_code(0).report()
}

fn database_is_whole(replacements: u64, roll_backs: u64) {
    let folder = PluginsFolder::with(&["numbers-source", "numbers-merge", "numbers-pass", "rows"]);
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("rows.db");
    let yaml = format!(
        "{CHANNELS}\
pipeline:
  time: live
  connectors: [{{ id: source, plugin: numbers-source, outputs: raw, config: {{ rate: 2000 }} }}]
  aggregator: {{ id: merge, plugin: numbers-merge, inputs: raw, outputs: merged }}
  strategies: [{{ id: pass, plugin: numbers-pass, inputs: merged, outputs: passed }}]
  executors: [{{ id: rows, plugin: rows, inputs: passed, config: {{ file: {} }} }}]
",
        file.display()
    );
    let config = ConfigFile::new(&folder, &yaml);
    let running = Run::config(config.path()).start();
    until("rows are written", || (config.component("rows")?["events"].as_u64()? > 0).then_some(()));
    let every = replacements / roll_backs.max(1);
    for number in 1..=replacements {
        config.replace(&folder, "rows", number);
        if number % every == 0 {
            roll_back(&folder, &config, "rows", number);
        }
    }
    let report = stop(running);
    let published = report.channel("raw")["published"].as_i64().unwrap();
    let db = Connection::open(file).unwrap();
    let text = |sql: &str| db.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(text("PRAGMA integrity_check"), "ok");
    assert_eq!(number("SELECT count(*) FROM numbers"), published, "rows");
    assert_eq!(number("SELECT count(DISTINCT number) FROM numbers"), published, "numbers");
    assert_eq!(number("SELECT max(number) FROM numbers"), published, "the last number");
}

#[test]
fn a_database_of_a_plugin_stays_whole_while_builds_are_replaced_and_rolled_back() {
    database_is_whole(15, 5);
}

#[test]
#[ignore = "takes minutes; run with --ignored"]
fn a_database_of_a_plugin_stays_whole_over_hundreds_of_replacements() {
    database_is_whole(500, 100);
}

/// Writes the numbers from 1 on into a connection, 10,000 lines in a second, until it is told to stop.
struct Feed {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: JoinHandle<std::io::Result<()>>,
}

impl Feed {
    fn start(mut stream: TcpStream) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (told, count) = (Arc::clone(&stop), Arc::clone(&sent));
        let began = Instant::now();
        let thread = thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                let due = u64::try_from(began.elapsed().as_micros() / 100).unwrap();
                let last = count.load(Ordering::Relaxed);
                let lines: String = (last + 1..=due).map(|number| format!("{number}\n")).collect();
                stream.write_all(lines.as_bytes())?;
                count.store(due.max(last), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(1));
            }
            // The connection stays open until the numbers have been counted.
            std::mem::forget(stream);
            Ok(())
        });
        Self { stop, sent, thread }
    }

    /// Ends the numbers, and returns how many there were.
    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap().expect("the connection was never closed");
        self.sent.load(Ordering::Relaxed)
    }
}

fn lines_pipeline(component: &str, address: SocketAddr) -> String {
    format!(
        "{CHANNELS}\
pipeline:
  time: live
  connectors:
    - {{ id: feed, plugin: lines, component: {component}, outputs: raw, config: {{ address: '{address}' }} }}
  aggregator: {{ id: merge, plugin: numbers-merge, inputs: raw, outputs: merged }}
  strategies: [{{ id: pass, plugin: numbers-pass, inputs: merged, outputs: passed }}]
  executors: [{{ id: sink, plugin: numbers-sink, inputs: passed }}]
"
    )
}

/// Replaces the plugin while numbers come through one connection, and compares what came with what
/// was sent.
fn connection_loses_nothing(
    component: &str,
    address: SocketAddr,
    times: u64,
    connect: impl FnOnce() -> TcpStream,
) {
    let folder = PluginsFolder::with(&["lines", "numbers-merge", "numbers-pass", "numbers-sink"]);
    let config = ConfigFile::new(&folder, &lines_pipeline(component, address));
    let running = Run::config(config.path()).start();
    let feed = Feed::start(connect());
    let received = || config.component("sink")?["events"].as_u64();
    until("numbers flow", || (received()? > 0).then_some(()));
    for number in 1..=times {
        config.replace(&folder, "lines", number);
        if number % 5 == 0 {
            roll_back(&folder, &config, "lines", number);
        }
    }
    let sent = feed.end();
    until("all numbers have come", || (received()? >= sent).then_some(()));
    let report = stop(running);
    let [row] = report.section("numbers") else { panic!("one sink, one row") };
    let zero = Value::from(0);
    assert_eq!((&row["missing"], &row["repeated"]), (&zero, &zero), "{row}");
    assert_eq!((&row["received"], &row["last"]), (&sent.into(), &sent.into()), "{row}");
    assert_eq!(report.counter("feed.connected"), 1);
    assert_eq!(report.counter("feed.closed"), 0);
}

fn server(times: u64) {
    // A port that is free, as far as anybody can know.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    connection_loses_nothing("server", address, times, || {
        until("the server listens", || TcpStream::connect(address).ok())
    });
}

fn client(times: u64) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    connection_loses_nothing("client", address, times, || listener.accept().unwrap().0);
}

#[test]
fn a_server_keeps_its_port_and_its_connections_over_replacements_and_roll_backs() {
    server(15);
}

#[test]
fn a_client_keeps_its_connection_over_replacements_and_roll_backs() {
    client(15);
}

#[test]
#[ignore = "takes minutes; run with --ignored"]
fn a_server_and_a_client_keep_their_connections_over_hundreds_of_replacements() {
    server(500);
    client(500);
}
