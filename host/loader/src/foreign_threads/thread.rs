//! A thread outside of the bays, with its name, its id, and its age relative to a library.

use std::{fmt, fs};

/// When a thread was started, in the kernel's clock ticks since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StartTime(u64);

impl StartTime {
    /// Returns the start time of the calling thread.
    pub(crate) fn of_calling_thread() -> Self {
        Self::of(own_id()).unwrap_or(Self(0))
    }

    /// Reads the start time of a thread: the 22nd field of its `stat`, see proc_pid_stat(5).
    pub(super) fn of(id: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/self/task/{id}/stat")).ok()?;
        // The name of the thread stands in parentheses and may contain any character.
        let (_, fields) = stat.rsplit_once(')')?;
        fields.split_whitespace().nth(19)?.parse().ok().map(Self)
    }
}

/// A thread outside of the bays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ForeignThread {
    pub(super) id: u32,
    pub(super) name: String,
    age: Age,
}

/// The age of a thread relative to a library. A library's plugin can have started only younger
/// threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    Older,
    Younger,
}

impl ForeignThread {
    /// Looks up the name and the age of a thread. Returns `None` if it has ended.
    pub(super) fn of(id: u32, since: StartTime) -> Option<Self> {
        let name = fs::read(format!("/proc/self/task/{id}/comm")).ok()?;
        let name: String = String::from_utf8_lossy(&name).trim_end().escape_debug().collect();
        // A tick is long, so a thread that was started in the same tick may be younger.
        let age = if StartTime::of(id)? < since { Age::Older } else { Age::Younger };
        Some(Self { id, name, age })
    }

    /// Returns `true` if the thread may have been started after the library was mapped.
    pub(crate) fn is_younger(&self) -> bool {
        self.age == Age::Younger
    }
}

impl fmt::Display for ForeignThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({})", self.name, self.id)
    }
}

/// Returns the id of the calling thread.
pub(crate) fn own_id() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()
}
