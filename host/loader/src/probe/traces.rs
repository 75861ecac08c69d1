//! What a process has one of, and a library must leave as it was while it loads.
//!
//! In the host all plugins share these: a handler of a signal would point into the library
//! after it went, a new folder would move every relative path, a thread that goes on would
//! run code that is unmapped.

use std::{
    fs, io, thread,
    time::{Duration, Instant},
};

/// How long a thread that was told to end may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// Signals 32 and 33: glibc sets their handlers when it makes the first thread.
const OF_LIBC: u64 = 0b11 << 31;

/// Last to be looked at, so that what else is different is told at once.
const THREADS: &str = "how many threads there are";

/// How the process is at one moment: what is looked at, and how it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Traces(Vec<(&'static str, String)>);

impl Traces {
    /// Looks at this process and the calling thread.
    pub(super) fn of_now() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/thread-self/status")?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        let signals = |name: &str| {
            let mask = u64::from_str_radix(&field(name), 16).unwrap_or_default();
            format!("{:x}", mask & !OF_LIBC)
        };
        Ok(Self(vec![
            ("the current folder", std::env::current_dir()?.display().to_string()),
            ("the permissions of new files", field("Umask:")),
            ("which signals are blocked", signals("SigBlk:")),
            ("which signals are ignored", signals("SigIgn:")),
            ("which signals are handled", signals("SigCgt:")),
            ("the limits of the process", fs::read_to_string("/proc/self/limits")?),
            ("the environment", format!("{:?}", std::env::vars_os().collect::<Vec<_>>())),
            (THREADS, field("Threads:")),
        ]))
    }

    /// What is not as it was, if anything is.
    pub(super) fn changed_since(&self) -> io::Result<Option<&'static str>> {
        let until = Instant::now() + PATIENCE;
        loop {
            let now = Self::of_now()?;
            let mut both = self.0.iter().zip(&now.0);
            let changed = both.find_map(|((what, was), (_, is))| (was != is).then_some(*what));
            // A thread that ends stands in the count for a moment longer.
            if changed != Some(THREADS) || Instant::now() >= until {
                return Ok(changed);
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}
