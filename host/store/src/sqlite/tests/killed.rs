//! What was acknowledged outlives the process.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use super::*;

/// The folder of the process that writes until it is killed.
const WRITES_IN: &str = "HOTBAY_TEST_WRITES_IN";

/// Writes numbered runs to the disk, several at a time, and prints each number once it is told that
/// the run is stored.
fn write_until_killed(folder: &Path) {
    let (store, epoch) = open(folder);
    let first = store.next_run_id().unwrap().0;
    for run in first.. {
        let done = move |result: Result<_, _>| {
            result.unwrap();
            let mut out = std::io::stdout().lock();
            writeln!(out, "stored {run}").and_then(|()| out.flush()).unwrap();
        };
        let records = [requested(run, "p/a"), log(run, "text ".repeat(20))];
        store.write(epoch, batch(records), Box::new(done));
        while store.stats().unwrap().queued_batches > 16 {
            thread::yield_now();
        }
    }
}

/// Kills a process that writes, again and again, and checks each time that all is there.
fn kill_and_check(times: u64) {
    if let Some(folder) = std::env::var_os(WRITES_IN) {
        return write_until_killed(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let name = thread::current().name().unwrap().to_owned();
    let mut acknowledged = 0;
    for round in 0..times {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &name, "--nocapture", "--include-ignored"])
            .env(WRITES_IN, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Any number of runs between none and some dozens, different in each round.
        let most = round * 7_919 % 61;
        let mut told = 0;
        for line in BufReader::new(writer.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            // The harness prints the name of the test in front of the first one.
            let Some((_, number)) = line.split_once("stored ") else { continue };
            let number = number.parse().unwrap();
            assert!(number > acknowledged, "in order");
            acknowledged = number;
            told += 1;
            if told >= most {
                // It may have ended before only by a failure, which its exit tells.
                writer.kill().unwrap();
            }
        }
        let status = writer.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{status}");
        let (store, _) = open(folder.path());
        let stored = live(&store);
        let last = stored.last().copied().unwrap_or_default();
        assert_eq!(stored, (1..=last).collect::<Vec<_>>(), "none is left out");
        assert!(last >= acknowledged, "{acknowledged} was acknowledged, {last} is there");
        assert_eq!(store.next_run_id().unwrap().0, last + 1);
        // Each batch is there as a whole.
        let stats = store.stats().unwrap();
        assert_eq!((stats.runs, stats.live_runs, stats.log_lines), (last, last, last));
        assert_eq!(store.log(RunId(last), 0, 9).unwrap().len(), usize::from(last > 0));
        assert_eq!(store.check().unwrap().faults, Vec::<String>::new());
    }
    assert!(acknowledged > 0);
}

#[test]
fn what_was_acknowledged_is_there_after_kill_9() {
    kill_and_check(20);
}

#[test]
#[ignore = "takes a minute; run it with `cargo test -p hotbay-store --lib kill_9 -- --ignored`"]
fn what_was_acknowledged_is_there_after_each_of_200_kill_9() {
    kill_and_check(200);
}
