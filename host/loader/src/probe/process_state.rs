//! The state that all code of a process shares, and that a library must not change while it
//! loads.
//!
//! In the host all plugins share this state: a signal handler would point into the library after
//! the library was unmapped, another working directory would change the meaning of every relative
//! path, and a thread that keeps running would run code that is unmapped.

use std::{
    fs, io, thread,
    time::{Duration, Instant},
};

/// How long a thread may take to end after it was told to.
const THREAD_LIMIT: Duration = Duration::from_millis(500);

/// The signals 32 and 33, whose handlers glibc installs when it creates the first thread.
const LIBC_SIGNALS: u64 = 0b11 << 31;

/// The description of the number of threads. It is compared last, so that any other difference is
/// reported without a wait.
const THREADS: &str = "how many threads there are";

/// The shared state of the process at one moment: a description and a value for each part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ProcessState(Vec<(&'static str, String)>);

impl ProcessState {
    /// Reads the state of this process and of the calling thread.
    pub(super) fn current() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/thread-self/status")?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        let signals = |name: &str| {
            let mask = u64::from_str_radix(&field(name), 16).unwrap_or_default();
            format!("{:x}", mask & !LIBC_SIGNALS)
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

    /// Returns the description of a part that differs from `self`, if one does.
    pub(super) fn changed_since(&self) -> io::Result<Option<&'static str>> {
        let until = Instant::now() + THREAD_LIMIT;
        loop {
            let now = Self::current()?;
            let mut both = self.0.iter().zip(&now.0);
            let changed = both.find_map(|((what, was), (_, is))| (was != is).then_some(*what));
            // The kernel counts a thread that ends for a moment longer.
            if changed != Some(THREADS) || Instant::now() >= until {
                return Ok(changed);
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}
