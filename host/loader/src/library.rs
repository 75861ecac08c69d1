//! The one module that maps a library, looks into it, and unmaps it.

#![expect(unsafe_code, reason = "loading and closing a library can't be proved by the compiler")]

use std::{
    mem::ManuallyDrop,
    ops::Range,
    path::{Path, PathBuf},
};

use abi_stable::library::{AbiHeaderRef, LibHeader};
use hotbay_plugin_api::abi::PluginRef;
use libloading::os::unix::{Library as Handle, RTLD_LOCAL, RTLD_NOW};
use parking_lot::Mutex;

use crate::{
    Refusal,
    dependencies::{self, Dependencies},
    foreign_threads::{CodeRanges, StartTime},
    layout,
    maps::Maps,
    pthread_keys::PthreadKeys,
};

/// Held from a `dlclose` until its effect is known, so that no other `dlclose` changes the mappings
/// in between.
static CLOSING: Mutex<()> = Mutex::new(());

/// A mapped library, to be unmapped with [`Library::close`]. A library that is dropped stays
/// mapped.
#[derive(Debug)]
pub(crate) struct Library {
    /// Never dropped implicitly, because dropping it unmaps the library even if a thread runs its
    /// code.
    handle: ManuallyDrop<Handle>,
    path: PathBuf,
    mapped_after: StartTime,
    dependencies: Dependencies,
}

/// Whether the dynamic linker unmapped a library.
#[derive(Debug)]
pub(crate) enum CloseOutcome {
    Unmapped,
    /// Something keeps the library mapped, such as a thread-local with a destructor on a thread
    /// outside of the bay.
    StillMapped(Library),
}

impl Library {
    /// Maps the library.
    ///
    /// This runs the library's constructors, so call it on a thread of the library's bay.
    pub(crate) fn open(path: &Path) -> Result<Self, Refusal> {
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
            mapped_after: StartTime::of_calling_thread(),
            dependencies: Dependencies::of(path),
        })
    }

    /// Returns the module behind an entry symbol, if its layout is the one that this host was
    /// compiled with.
    pub(crate) fn module(&self, entry: &str) -> Result<PluginRef, Refusal> {
        let header = self.header(entry)?;
        let layout = header
            .layout()
            .ok_or_else(|| Refusal::Layout("the library hides its layout".to_owned()))?;
        let sdk = header.version_strings().version.as_str();
        layout::check(layout).map_err(|reason| layout::of_another_sdk(sdk, &reason))?;
        // SAFETY: the call above checked the layout of this very type.
        let module = unsafe { header.unchecked_layout::<PluginRef>() };
        module.map_err(|error| Refusal::Layout(error.to_string()))
    }

    fn header(&self, entry: &str) -> Result<&LibHeader, Refusal> {
        let missing = |error: libloading::Error| Refusal::Linking(error.to_string());
        // SAFETY: an `AbiHeaderRef` is a pointer to what begins a `LibHeader`. The descriptor says
        // that this symbol is one, and `elf::read_descriptor` has found as many bytes there as one
        // has, aligned as one. They are mapped for as long as `self` is, which the result borrows.
        let symbol = unsafe { self.handle.get::<AbiHeaderRef>(entry.as_bytes()) };
        let header = *symbol.map_err(missing)?;
        // `upgrade` compares the magic bytes and the version of abi_stable before it calls
        // anything.
        header.upgrade().map_err(|error| layout::of_another_format(&error))
    }

    /// Closes the library and checks whether it is unmapped.
    ///
    /// Every thread that ran its code must have ended, and every value that it made must have been
    /// dropped. The module `retained` looks for such threads before it calls this.
    pub(crate) fn close(mut self) -> CloseOutcome {
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
            return CloseOutcome::Unmapped;
        }
        // The library is mapped, so opening it succeeds. If not, a handle of the program is
        // harmless.
        self.handle = ManuallyDrop::new(handle.unwrap_or_else(|_| Handle::this()));
        CloseOutcome::StillMapped(self)
    }

    /// Returns the private copy that the library was mapped from.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns a time shortly before the library was mapped: the start of the thread that did it.
    pub(crate) fn mapped_after(&self) -> StartTime {
        self.mapped_after
    }

    pub(crate) fn dependencies(&self) -> &Dependencies {
        &self.dependencies
    }

    /// Returns the code that is unmapped together with this library, and the code that is unrelated
    /// to it.
    pub(crate) fn code_ranges(&self) -> CodeRanges {
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
    pub(crate) fn keep(self) {
        std::mem::forget(self);
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
