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

/// How often the number of threads is compared at least before it counts as changed.
const MIN_LOOKS: u32 = 50;

/// The time between two of these comparisons.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

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
        let began = Instant::now();
        let look = || {
            let now = Self::current()?;
            let mut both = self.0.iter().zip(&now.0);
            Ok(both.find_map(|((what, was), (_, is))| (was != is).then_some(*what)))
        };
        lasting(look, || {
            thread::sleep(LOOK_INTERVAL);
            began.elapsed()
        })
    }
}

/// Looks until there is no difference, or one that lasts. `pause` waits between two looks, and
/// returns the time since the first one.
///
/// The kernel counts a thread that ends for a moment longer. The time is taken before a look, and a
/// number of looks is required as well: a process that stood still for longer than the limit finds
/// the time over, but the thread that was about to end had no time either.
fn lasting(
    mut look: impl FnMut() -> io::Result<Option<&'static str>>,
    mut pause: impl FnMut() -> Duration,
) -> io::Result<Option<&'static str>> {
    let mut looks = 1;
    let mut passed = Duration::ZERO;
    loop {
        let changed = look()?;
        if changed != Some(THREADS) || (passed >= THREAD_LIMIT && looks >= MIN_LOOKS) {
            return Ok(changed);
        }
        passed = pause();
        looks += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found if the number of threads differs in the first `differing` looks, and the time
    /// jumps by ten seconds in the first pause.
    fn after_a_stall(differing: u32) -> Option<&'static str> {
        let mut looks = 0;
        let look = || {
            looks += 1;
            Ok((looks <= differing).then_some(THREADS))
        };
        lasting(look, || Duration::from_secs(10)).unwrap()
    }

    #[test]
    fn a_thread_that_ends_after_the_process_stood_still_is_no_meddling() {
        assert_eq!(after_a_stall(1), None);
        assert_eq!(after_a_stall(MIN_LOOKS / 2), None);
    }

    #[test]
    fn a_thread_that_stays_is_found() {
        assert_eq!(after_a_stall(u32::MAX), Some(THREADS));
    }

    #[test]
    fn any_other_difference_is_found_at_the_first_look() {
        let found = lasting(|| Ok(Some("the current folder")), || unreachable!("no pause"));
        assert_eq!(found.unwrap(), Some("the current folder"));
    }
}
