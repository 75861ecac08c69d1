//! Libraries that could not be unmapped when their plugins were closed.
//!
//! What keeps a library may end later: a thread that was left running, or one that holds a
//! thread-local. So they are kept here and tried again, with each plugin that is closed and
//! whenever somebody asks.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    crash::Resident,
    library::{Library, Unmapped},
    strangers::{Found, Stranger, find},
};

/// How long threads that are in a library's code get to leave it.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long they get when it is tried again, which is often.
const GLANCE: Duration = Duration::from_millis(50);

/// Those that are mapped still.
static KEPT: Mutex<Vec<Kept>> = Mutex::new(Vec::new());

/// Held while they are tried again.
static TRYING: Mutex<()> = Mutex::new(());

/// How many threads are named in a reason.
const NAMED: usize = 5;

#[derive(Debug)]
struct Kept {
    library: Library,
    /// Names the plugin if it brings the host down. Ends after the library.
    resident: Option<Resident>,
    remains: Remains,
}

/// What is left of a plugin that was closed: its library, which something keeps mapped.
#[derive(Debug, Clone)]
pub struct Remains(Arc<Mutex<State>>);

#[derive(Debug)]
enum State {
    Mapped(Reason),
    Gone,
}

/// Why a library is mapped still.
#[derive(Debug)]
enum Reason {
    /// These threads are in its code.
    Inside(Vec<Stranger>),
    /// These may be.
    Restless(Vec<Stranger>),
    /// The dynamic linker did not let go of it. These threads are younger than it.
    Pinned(Vec<Stranger>),
}

impl Remains {
    /// Whether the library is unmapped by now.
    pub fn are_gone(&self) -> bool {
        matches!(*lock(&self.0), State::Gone)
    }

    /// Why it is mapped still; empty if it is not.
    pub fn reason(&self) -> String {
        match &*lock(&self.0) {
            State::Mapped(reason) => reason.to_string(),
            State::Gone => String::new(),
        }
    }

    /// How many threads are in its code, or may be.
    pub fn threads(&self) -> usize {
        match &*lock(&self.0) {
            State::Mapped(Reason::Inside(threads) | Reason::Restless(threads)) => threads.len(),
            State::Mapped(Reason::Pinned(_)) | State::Gone => 0,
        }
    }

    /// Notes a new reason, unless it says less than the one before.
    fn note(&self, reason: Reason) {
        let mut state = lock(&self.0);
        let is_known = matches!(*state, State::Mapped(Reason::Inside(_)));
        if !(is_known && matches!(reason, Reason::Restless(_))) {
            *state = State::Mapped(reason);
        }
    }
}

impl PartialEq for Remains {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Remains {}

/// Unmaps a library whose bay was joined, if nobody is in its code; otherwise keeps it. Blocks.
pub(crate) fn close(library: Library, resident: Option<Resident>) -> Option<Remains> {
    let kept = match unmap(library, PATIENCE) {
        Ok(()) => {
            drop(resident);
            None
        }
        Err((library, reason)) => {
            let remains = Remains(Arc::new(Mutex::new(State::Mapped(reason))));
            Some(Kept { library, resident, remains })
        }
    };
    sweep();
    let remains = kept.as_ref().map(|kept| kept.remains.clone());
    lock(&KEPT).extend(kept);
    remains
}

/// Tries again to unmap what was kept. Blocks, though not for long.
pub fn sweep() {
    let _turn = lock(&TRYING);
    let kept = std::mem::take(&mut *lock(&KEPT));
    for Kept { library, resident, remains } in kept {
        match unmap(library, GLANCE) {
            Ok(()) => {
                drop(resident);
                *lock(&remains.0) = State::Gone;
            }
            Err((library, reason)) => {
                remains.note(reason);
                lock(&KEPT).push(Kept { library, resident, remains });
            }
        }
    }
}

fn unmap(library: Library, patience: Duration) -> Result<(), (Library, Reason)> {
    let _turn = library.company().turn();
    match find(&library.code_that_goes(), library.since(), patience) {
        Found::Inside(threads) => Err((library, Reason::Inside(threads))),
        Found::Restless(threads) => Err((library, Reason::Restless(threads))),
        Found::Nobody { younger } => match library.close() {
            Unmapped::Gone => Ok(()),
            Unmapped::StillMapped(library) => Err((library, Reason::Pinned(younger))),
        },
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inside(threads) => {
                let verb = if threads.len() == 1 { "runs" } else { "run" };
                let whence = match threads.iter().all(Stranger::is_younger) {
                    true => "started since it was loaded",
                    false => "outside of its bay",
                };
                write!(f, "{}, {whence}, still {verb} its code", Named(threads))
            }
            Self::Restless(threads) => {
                let verb = if threads.len() == 1 { "pauses" } else { "pause" };
                let named = Named(threads);
                write!(f, "{named}, started since it was loaded, never {verb} and may run its code")
            }
            Self::Pinned(younger) => {
                f.write_str("a thread outside of its bay holds a thread-local of it")?;
                match younger.as_slice() {
                    [] => f.write_str("; all such threads are older than it"),
                    _ => write!(f, "; since it was loaded came {}", Named(younger)),
                }
            }
        }
    }
}

/// Threads for people.
struct Named<'a>(&'a [Stranger]);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.len() == 1 { "thread " } else { "threads " })?;
        for (number, thread) in self.0.iter().take(NAMED).enumerate() {
            write!(f, "{}{thread}", if number == 0 { "" } else { ", " })?;
        }
        match self.0.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
