//! The one module that maps a library, calls its functions, and unmaps it.

#![expect(unsafe_code, reason = "loading and closing a library can't be proved by the compiler")]

mod module;

use std::{
    mem::ManuallyDrop,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use libloading::os::unix::{Library as Handle, RTLD_LOCAL, RTLD_NOW};
use parking_lot::Mutex;

use crate::{
    BayThreads, Refusal,
    dependencies::{self, Dependencies},
    foreign_threads::{CodeRanges, ForeignThread, Occupancy, StartTime, find_threads_in},
    maps::Maps,
    pthread_keys::PthreadKeys,
};

pub use module::{BackgroundObject, EventObject, Module, PluginObject, PluginValue, RunObject};

/// Held from a `dlclose` until its effect is known, so that no other `dlclose` changes the mappings
/// in between.
static CLOSING: Mutex<()> = Mutex::new(());

/// A mapped library. It is unmapped by its owner, with [`Library::close`], and not before everybody
/// who shares it is gone. A library that is dropped stays mapped.
#[derive(Debug)]
pub(crate) struct Library {
    /// Never dropped implicitly, because dropping it unmaps the library even if a thread runs its
    /// code.
    handle: ManuallyDrop<Handle>,
    path: PathBuf,
    threads: BayThreads,
    /// A time shortly before the library was mapped: the start of the thread that did it.
    mapped_after: StartTime,
    dependencies: Dependencies,
}

/// Why a library was not unmapped.
#[derive(Debug)]
pub(crate) enum StillMapped {
    /// Somebody shares it, or threads of its bay have not ended.
    InUse,
    /// These threads run its code.
    Occupied(Vec<ForeignThread>),
    /// These threads may run its code.
    Unknown(Vec<ForeignThread>),
    /// The dynamic linker keeps it. These threads are younger than it; `None` if threads cannot be
    /// seen on this system.
    Linker { younger: Option<Vec<ForeignThread>> },
}

impl Library {
    /// Maps the library.
    ///
    /// This runs the library's constructors, so call it on one of `threads`.
    pub(crate) fn open(path: &Path, threads: BayThreads) -> Result<Self, Refusal> {
        dependencies::record_host_libraries();
        // `RTLD_NOW` binds all symbols now: a missing one is an error here and not a crash later.
        // SAFETY: opening a library runs its constructors. In the host, they have returned in the
        // probe before; in the probe, this process has nothing else to lose. Nothing can defend a
        // process against a library that harms it on purpose.
        let handle = unsafe { Handle::open(Some(path), RTLD_NOW | RTLD_LOCAL) }
            .map_err(|error| Refusal::Linking(without_path(&error.to_string(), path)))?;
        Ok(Self {
            handle: ManuallyDrop::new(handle),
            path: path.to_owned(),
            threads,
            mapped_after: StartTime::of_calling_thread(),
            dependencies: Dependencies::of(path),
        })
    }

    /// Unmaps the library, unless a thread may run its code. Blocks for up to `limit`.
    ///
    /// Whatever leads into the library has a share of it (see [`Module`]), so whoever owns it whole
    /// is the last who could call its code.
    pub(crate) fn close(self, limit: Duration) -> Result<(), (Self, StillMapped)> {
        let _unloading = self.dependencies.lock_unloading();
        if self.threads.alive() > 0 {
            return Err((self, StillMapped::InUse));
        }
        match find_threads_in(&self.code_ranges(), self.mapped_after, limit) {
            Occupancy::Occupied(threads) => Err((self, StillMapped::Occupied(threads))),
            Occupancy::Unknown(threads) => Err((self, StillMapped::Unknown(threads))),
            Occupancy::Free { younger } => {
                // SAFETY: the threads of the library's bay have ended, as was asked above. The
                // search found no other thread in its code, and left out only threads of other
                // bays, which run the code of other plugins. No thread can enter the code any more,
                // because `self` is owned.
                let unmapped = unsafe { self.unmap() };
                unmapped.map_err(|library| (library, StillMapped::Linker { younger }))
            }
        }
    }

    /// Unmaps the library in the process that probes it.
    pub(crate) fn close_in_probe(self) {
        // SAFETY: if a thread still runs the code, this process dies of it. It has nothing else to
        // lose, as in `open`, and its end is the answer.
        drop(unsafe { self.unmap() });
    }

    /// Closes the library, and returns it if it is still mapped then.
    ///
    /// # Safety
    ///
    /// No thread runs the library's code, except for destructors of thread-locals, for which the
    /// dynamic linker waits.
    unsafe fn unmap(mut self) -> Result<(), Self> {
        let keys = PthreadKeys::of(&Maps::current().code(&self.path));
        let _closing = CLOSING.lock();
        // SAFETY: `self.handle` is not used again before it is assigned below, and `self` is
        // returned only after that. `Library` has no `Drop` that would use it.
        let handle = unsafe { ManuallyDrop::take(&mut self.handle) };
        if let Err(error) = handle.close() {
            tracing::error!(%error, path = %self.path.display(), "dlclose failed");
        }
        // The thread that keeps the library mapped may release it at any moment. Without a
        // handle, the next `dlclose` of any library would then unmap it, while that thread is
        // still about to run the destructors of its pthread keys. SAFETY: `RTLD_NOLOAD` maps
        // nothing, so no constructor runs.
        let handle = unsafe { Handle::open(Some(&self.path), RTLD_NOW | libc::RTLD_NOLOAD) };
        if !Maps::current().has_code_of(&self.path).unwrap_or(handle.is_ok()) {
            keys.delete();
            return_free_memory();
            return Ok(());
        }
        // The library is mapped, so opening it succeeds. If not, a handle of the program is
        // harmless.
        self.handle = ManuallyDrop::new(handle.unwrap_or_else(|_| Handle::this()));
        Err(self)
    }

    /// Returns the private copy that the library was mapped from.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn dependencies(&self) -> &Dependencies {
        &self.dependencies
    }

    /// Returns the code that is unmapped together with this library, and the code that is unrelated
    /// to it.
    fn code_ranges(&self) -> CodeRanges {
        let maps = Maps::current();
        let mut own = maps.code(&self.path);
        own.extend(self.dependencies.exclusive_code(&maps));
        CodeRanges { own, unrelated: self.dependencies.unrelated_code(&maps) }
    }

    /// Returns the number of bytes of address space that the library takes.
    pub(crate) fn mapped_bytes(&self) -> u64 {
        Maps::current().bytes(&self.path)
    }

    /// Returns the range from the first to the last byte of the library's code. No other library
    /// lies in between.
    pub(crate) fn code(&self) -> Range<usize> {
        let parts = Maps::current().code(&self.path);
        let start = parts.iter().map(|part| part.start).min().unwrap_or_default();
        start..parts.iter().map(|part| part.end).max().unwrap_or_default()
    }

    /// Leaves the library mapped for the rest of the process.
    pub(crate) fn keep(library: Arc<Self>) {
        std::mem::forget(library);
    }
}

/// Removes the path of the private copy from a message of the linker, because it means nothing to
/// people.
fn without_path(text: &str, path: &Path) -> String {
    let path = path.display().to_string();
    text.replace(&format!("{path}: "), "").replace(&path, "it")
}

/// Asks the allocator to return free memory to the operating system.
///
/// Each build brings its own threads, and the allocator has a pool for each thread that never
/// shrinks by itself. Without this call, a host seems to grow from one replacement to the next.
fn return_free_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: `malloc_trim` takes a number and may be called at any time on any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
