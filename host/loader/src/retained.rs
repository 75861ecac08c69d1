//! Libraries that could not be unmapped when their plugins were closed.
//!
//! What keeps a library mapped may go away later: a thread that was left running may end, and so
//! may a thread that has a thread-local of the library. So such a library is retained here, and
//! unmapping it is tried again whenever another plugin is closed and whenever [`sweep`] is called.
//!
//! A retained library is `Mapped` until an attempt succeeds, and `Unmapped` from then on. If its own
//! file says that the dynamic linker never unmaps it, nothing is tried again.
//!
//! Lock order: [`SWEEPING`], then the lock of the library's dependencies, then [`RETAINED`] or the
//! state of one library. The last two are never held at the same time.

mod reason;

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;

use crate::{
    crash::SlotGuard,
    library::{Library, StillMapped},
};
use reason::Circumstances;

/// How long threads may take to leave the code of a library that is closed.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// How long threads may take to leave the code of a library when unmapping it is tried again, which
/// happens often.
const RETRY_LIMIT: Duration = Duration::from_millis(50);

/// The libraries that are still mapped.
static RETAINED: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// Held during a sweep, so that two sweeps do not share the list between them.
static SWEEPING: Mutex<()> = Mutex::new(());

#[derive(Debug)]
struct Entry {
    library: Arc<Library>,
    /// Attributes a crash to the plugin. Dropped after the library is unmapped.
    slot: Option<SlotGuard>,
    handle: RetainedLibrary,
}

/// A handle to the library of a closed plugin that something keeps mapped.
#[derive(Debug, Clone)]
pub struct RetainedLibrary(Arc<Mutex<State>>);

#[derive(Debug)]
enum State {
    Mapped { reason: StillMapped, circumstances: Circumstances },
    Unmapped,
}

impl RetainedLibrary {
    /// Returns `true` if the library was unmapped in the meantime.
    pub fn is_unmapped(&self) -> bool {
        matches!(*self.0.lock(), State::Unmapped)
    }

    /// Returns why the library is still mapped, or an empty text if it was unmapped.
    pub fn reason(&self) -> String {
        match &*self.0.lock() {
            State::Mapped { reason, circumstances } => circumstances.explain(reason),
            State::Unmapped => String::new(),
        }
    }

    /// Returns the number of threads that run the code of the library, or may run it.
    pub fn threads(&self) -> usize {
        match &*self.0.lock() {
            State::Mapped {
                reason: StillMapped::Occupied(threads) | StillMapped::Unknown(threads),
                ..
            } => threads.len(),
            State::Mapped { reason: StillMapped::InUse | StillMapped::Linker { .. }, .. }
            | State::Unmapped => 0,
        }
    }

    /// Replaces the reason, unless the old one is more precise.
    fn update(&self, new: StillMapped) {
        let State::Mapped { reason, .. } = &mut *self.0.lock() else { return };
        if !matches!((&*reason, &new), (StillMapped::Occupied(_), StillMapped::Unknown(_))) {
            *reason = new;
        }
    }
}

impl PartialEq for RetainedLibrary {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for RetainedLibrary {}

/// Unmaps a library, or retains it if it is still in use. Blocks.
pub(crate) fn close(library: Arc<Library>, slot: Option<SlotGuard>) -> Option<RetainedLibrary> {
    let entry = match unmap(library, CLOSE_LIMIT) {
        Ok(()) => {
            drop(slot);
            None
        }
        Err((library, reason)) => {
            let circumstances = Circumstances::of(&library);
            let is_final = circumstances.are_final();
            let state = State::Mapped { reason, circumstances };
            let handle = RetainedLibrary(Arc::new(Mutex::new(state)));
            if is_final {
                Library::keep(library);
                SlotGuard::keep(slot);
                return Some(handle);
            }
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

fn unmap(library: Arc<Library>, limit: Duration) -> Result<(), (Arc<Library>, StillMapped)> {
    let library = Arc::try_unwrap(library).map_err(|shared| (shared, StillMapped::InUse))?;
    library.close(limit).map_err(|(library, reason)| (Arc::new(library), reason))
}
