//! The one place that maps a library, looks into it, and unmaps it.

#![expect(unsafe_code, reason = "loading and closing a library can't be proved by the compiler")]

mod layout;

use std::{
    mem::ManuallyDrop,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use abi_stable::library::{AbiHeaderRef, LibHeader};
use hotbay_plugin_api::abi::PluginRef;
use libloading::os::unix::{Library as Handle, RTLD_LOCAL, RTLD_NOW};

use super::{
    Refusal,
    company::{self, Company},
    keys::Keys,
    maps::Maps,
    remains,
    strangers::{Code, Moment},
};

/// Held by whoever closes a handle, until it is clear what became of the library.
static CLOSING: Mutex<()> = Mutex::new(());

/// A mapped library, for [`Library::close`]. One that is dropped stays mapped.
#[derive(Debug)]
pub(crate) struct Library {
    /// Dropping it would unmap the library, whoever runs its code.
    handle: ManuallyDrop<Handle>,
    path: PathBuf,
    since: Moment,
    company: Company,
}

/// Whether the dynamic linker really let go of a library.
#[derive(Debug)]
pub(crate) enum Unmapped {
    Gone,
    /// Something pinned it, such as a thread-local destructor on a foreign thread.
    StillMapped(Library),
}

impl Library {
    /// Maps the library and checks that its module has the layout that this host knows.
    ///
    /// Call it on a thread of the library's bay: constructors run here.
    pub(crate) fn open(path: &Path, entry: &str) -> Result<(Self, PluginRef), Refusal> {
        company::note_host();
        // All symbols are bound now: a missing one is an error here, not a crash later.
        // SAFETY: the file was loaded in the probe before, so its constructors are
        // known to return; a library that harms its process can't be defended against.
        let handle = unsafe { Handle::open(Some(path), RTLD_NOW | RTLD_LOCAL) }
            .map_err(|error| Refusal::Linking(without(path, &error.to_string())))?;
        let library = Self {
            handle: ManuallyDrop::new(handle),
            path: path.to_owned(),
            since: Moment::of_own_start(),
            company: Company::of(path),
        };
        match library.module(entry) {
            Ok(module) => Ok((library, module)),
            Err(refusal) => {
                if let Some(remains) = remains::close(library, None) {
                    tracing::error!(reason = remains.reason(), "a refused library stays mapped");
                }
                Err(refusal)
            }
        }
    }

    fn module(&self, entry: &str) -> Result<PluginRef, Refusal> {
        let header = self.header(entry)?;
        let layout = header
            .layout()
            .ok_or_else(|| Refusal::Layout("the library hides its layout".to_owned()))?;
        layout::check(layout)?;
        // SAFETY: the layout of this very type was checked above.
        let module = unsafe { header.unchecked_layout::<PluginRef>() };
        module.map_err(|error| Refusal::Layout(error.to_string()))
    }

    fn header(&self, entry: &str) -> Result<&'static LibHeader, Refusal> {
        let missing = |error: libloading::Error| Refusal::Linking(error.to_string());
        // SAFETY: the descriptor named this symbol as a `LibHeader`. A pointer to one
        // is an `AbiHeaderRef`; it is valid as long as the library stays mapped.
        let symbol = unsafe { self.handle.get::<AbiHeaderRef>(entry.as_bytes()) };
        let header = *symbol.map_err(missing)?;
        // The magic bytes and the version of abi_stable are compared before anything is called.
        header.upgrade().map_err(|error| Refusal::Layout(first_line(&error.to_string())))
    }

    /// Unmaps the library and looks whether it went.
    ///
    /// Every thread that ran code of it must have ended, and nothing that it made
    /// may be alive: [`remains`](super::remains) has looked for such threads.
    pub(crate) fn close(mut self) -> Unmapped {
        let keys = Keys::of(&Maps::of_now().code(&self.path));
        let _turn = turn();
        // SAFETY: it is not used again before it is set anew below.
        let handle = unsafe { ManuallyDrop::take(&mut self.handle) };
        if let Err(error) = handle.close() {
            tracing::error!(%error, path = %self.path.display(), "dlclose failed");
        }
        if !Maps::of_now().hold(&self.path) {
            keys.delete();
            give_memory_back();
            return Unmapped::Gone;
        }
        // Whoever pins it may let go of it at any moment, and the next `dlclose` of any library
        // would unmap it, while that thread is about to run the destructors of its pthread keys.
        // SAFETY: nothing is loaded, so no code runs.
        let again = unsafe { Handle::open(Some(&self.path), RTLD_NOW | libc::RTLD_NOLOAD) };
        // It is mapped, so there is a handle; that of the program harms nobody.
        self.handle = ManuallyDrop::new(again.unwrap_or_else(|_| Handle::this()));
        Unmapped::StillMapped(self)
    }

    /// When it was mapped, or shortly before.
    pub(crate) fn since(&self) -> Moment {
        self.since
    }

    /// What may go with it.
    pub(crate) fn company(&self) -> &Company {
        &self.company
    }

    /// Where the code lies that goes when it goes, and where that of others does.
    pub(crate) fn code_that_goes(&self) -> Code {
        let maps = Maps::of_now();
        let mut own = maps.code(&self.path);
        own.extend(self.company.code(&maps));
        Code { own, innocent: self.company.strange_code(&maps) }
    }

    /// How much address space it takes, in bytes.
    pub(crate) fn mapped_bytes(&self) -> u64 {
        Maps::of_now().bytes(&self.path)
    }

    /// Where its code lies; between two parts of it there is nothing of anybody else.
    pub(crate) fn code(&self) -> Range<usize> {
        let parts = Maps::of_now().code(&self.path);
        let start = parts.iter().map(|part| part.start).min().unwrap_or_default();
        start..parts.iter().map(|part| part.end).max().unwrap_or_default()
    }

    /// Leaves the library mapped for the rest of the process.
    pub(crate) fn keep(self) {
        std::mem::forget(self);
    }
}

fn turn() -> MutexGuard<'static, ()> {
    CLOSING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The linker's text without the path of the copy, which says nothing to people.
fn without(path: &Path, text: &str) -> String {
    let path = path.display().to_string();
    text.replace(&format!("{path}: "), "").replace(&path, "it")
}

/// Has the allocator give back what it holds in reserve.
///
/// Each build brings threads of its own, and with them pools of the allocator that stay as
/// large as they ever were: a host would look as if it grew from one replacement to the next.
fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes a number, and may be called on any thread at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// abi_stable's reports span many lines; the first that says something is enough for people.
fn first_line(report: &str) -> String {
    let mut lines = report.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.next().unwrap_or("the layouts differ").to_owned()
}
