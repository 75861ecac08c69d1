//! Libraries that could not be unmapped when their plugins were closed.
//!
//! What keeps a library mapped may go away later: a thread that was left running may end, and so
//! may a thread that has a thread-local of the library. So such a library is retained here, and
//! unmapping it is tried again whenever another plugin is closed and whenever [`sweep`] is called.
//!
//! A retained library is `Mapped` until an attempt succeeds, and `Unmapped` from then on.
//!
//! Lock order: [`SWEEPING`], then the lock of the library's dependencies, then [`RETAINED`] or the
//! state of one library. The last two are never held at the same time.

use std::{fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;

use crate::{
    crash::SlotGuard,
    foreign_threads::{ForeignThread, Occupancy, find_threads_in},
    library::{CloseOutcome, Library},
};

/// How long threads may take to leave the code of a library that is closed.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// How long threads may take to leave the code of a library when unmapping it is tried again, which
/// happens often.
const RETRY_LIMIT: Duration = Duration::from_millis(50);

/// The number of threads that a reason names.
const MAX_NAMED: usize = 5;

/// The libraries that are still mapped.
static RETAINED: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// Held during a sweep, so that two sweeps do not share the list between them.
static SWEEPING: Mutex<()> = Mutex::new(());

#[derive(Debug)]
struct Entry {
    library: Library,
    /// Attributes a crash to the plugin. Dropped after the library is unmapped.
    slot: Option<SlotGuard>,
    handle: RetainedLibrary,
}

/// A handle to the library of a closed plugin that something keeps mapped.
#[derive(Debug, Clone)]
pub struct RetainedLibrary(Arc<Mutex<State>>);

#[derive(Debug)]
enum State {
    Mapped(Reason),
    Unmapped,
}

/// Why a library is still mapped.
#[derive(Debug)]
enum Reason {
    /// These threads run its code.
    Occupied(Vec<ForeignThread>),
    /// These threads may run its code.
    Unknown(Vec<ForeignThread>),
    /// The dynamic linker keeps the library because of a thread-local. The linker does not tell
    /// which thread has it; these threads are younger than the library.
    Pinned { younger: Vec<ForeignThread> },
}

impl RetainedLibrary {
    /// Returns `true` if the library was unmapped in the meantime.
    pub fn is_unmapped(&self) -> bool {
        matches!(*self.0.lock(), State::Unmapped)
    }

    /// Returns why the library is still mapped, or an empty text if it was unmapped.
    pub fn reason(&self) -> String {
        match &*self.0.lock() {
            State::Mapped(reason) => reason.to_string(),
            State::Unmapped => String::new(),
        }
    }

    /// Returns the number of threads that run the code of the library, or may run it.
    pub fn threads(&self) -> usize {
        match &*self.0.lock() {
            State::Mapped(Reason::Occupied(threads) | Reason::Unknown(threads)) => threads.len(),
            State::Mapped(Reason::Pinned { .. }) | State::Unmapped => 0,
        }
    }

    /// Replaces the reason, unless the old one is more precise.
    fn update(&self, reason: Reason) {
        let mut state = self.0.lock();
        let is_known = matches!(*state, State::Mapped(Reason::Occupied(_)));
        if !(is_known && matches!(reason, Reason::Unknown(_))) {
            *state = State::Mapped(reason);
        }
    }
}

impl PartialEq for RetainedLibrary {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for RetainedLibrary {}

/// Unmaps a library whose bay was joined, or retains it if a thread may run its code. Blocks.
pub(crate) fn close(library: Library, slot: Option<SlotGuard>) -> Option<RetainedLibrary> {
    let entry = match unmap(library, CLOSE_LIMIT) {
        Ok(()) => {
            drop(slot);
            None
        }
        Err((library, reason)) => {
            let handle = RetainedLibrary(Arc::new(Mutex::new(State::Mapped(reason))));
            Some(Entry { library, slot, handle })
        }
    };
    sweep();
    let handle = entry.as_ref().map(|entry| entry.handle.clone());
    RETAINED.lock().extend(entry);
    handle
}

/// Tries again to unmap every retained library. Blocks for a short time.
pub fn sweep() {
    let _sweeping = SWEEPING.lock();
    let entries = std::mem::take(&mut *RETAINED.lock());
    for Entry { library, slot, handle } in entries {
        match unmap(library, RETRY_LIMIT) {
            Ok(()) => {
                drop(slot);
                *handle.0.lock() = State::Unmapped;
            }
            Err((library, reason)) => {
                handle.update(reason);
                RETAINED.lock().push(Entry { library, slot, handle });
            }
        }
    }
}

fn unmap(library: Library, limit: Duration) -> Result<(), (Library, Reason)> {
    let _unloading = library.dependencies().lock_unloading();
    match find_threads_in(&library.code_ranges(), library.mapped_after(), limit) {
        Occupancy::Occupied(threads) => Err((library, Reason::Occupied(threads))),
        Occupancy::Unknown(threads) => Err((library, Reason::Unknown(threads))),
        Occupancy::Free { younger } => match library.close() {
            CloseOutcome::Unmapped => Ok(()),
            CloseOutcome::StillMapped(library) => Err((library, Reason::Pinned { younger })),
        },
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Occupied(threads) => {
                let verb = if threads.len() == 1 { "runs" } else { "run" };
                let origin = match threads.iter().all(ForeignThread::is_younger) {
                    true => "started since it was loaded",
                    false => "outside of its bay",
                };
                write!(f, "{}, {origin}, still {verb} its code", Names(threads))
            }
            Self::Unknown(threads) => {
                let verb = if threads.len() == 1 { "pauses" } else { "pause" };
                let names = Names(threads);
                write!(f, "{names}, started since it was loaded, never {verb} and may run its code")
            }
            Self::Pinned { younger } => {
                f.write_str("a thread outside of its bay holds a thread-local of it")?;
                match younger.as_slice() {
                    [] => f.write_str("; all such threads are older than it"),
                    _ => write!(f, "; since it was loaded came {}", Names(younger)),
                }
            }
        }
    }
}

/// Formats the names of threads as a list.
struct Names<'a>(&'a [ForeignThread]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.len() == 1 { "thread " } else { "threads " })?;
        for (number, thread) in self.0.iter().take(MAX_NAMED).enumerate() {
            write!(f, "{}{thread}", if number == 0 { "" } else { ", " })?;
        }
        match self.0.len().saturating_sub(MAX_NAMED) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
