//! The last step of a load and the first step of an unload, for the owner of a bay: mapping a
//! library on the bay's own threads, and closing it after they have ended.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    BayThreads, Descriptor, Module, Refusal, RetainedLibrary, crash::SlotGuard, elf::entry_symbol,
    library::Library, retained, staging::Staged,
};

/// A library that was inspected and whose copy is unchanged since.
///
/// First start the threads that will run the library's code and let each of them enter
/// [`threads`](Self::threads). Then call [`map`](Self::map) on one of them.
#[derive(Debug)]
pub struct ReadyLibrary {
    path: PathBuf,
    descriptor: Descriptor,
    staged: Staged,
    /// `None` if all slots are in use. A crash is then not attributed to the plugin.
    slot: Option<SlotGuard>,
    threads: BayThreads,
}

impl ReadyLibrary {
    pub(crate) fn new(path: PathBuf, descriptor: Descriptor, staged: Staged) -> Self {
        let slot = SlotGuard::loading(&descriptor.name, &staged.hash, &path);
        let threads = BayThreads::of(slot.as_ref());
        Self { path, descriptor, staged, slot, threads }
    }

    /// Returns the file in the plugins folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the name of the plugin.
    pub fn name(&self) -> &str {
        &self.descriptor.name
    }

    /// Returns the list of the threads that will run the library's code.
    pub fn threads(&self) -> BayThreads {
        self.threads.clone()
    }

    /// Maps the library and checks its layout.
    ///
    /// This runs the library's constructors, so call it on one of its [`threads`](Self::threads).
    ///
    /// # Errors
    /// If the dynamic linker or the layout check refuses the library. The library is unmapped once
    /// its threads have ended, see [`sweep`](crate::sweep).
    pub fn map(self) -> Result<(MappedLibrary, Module), Refusal> {
        let Self { path, descriptor, staged, slot, threads } = self;
        let (library, module) = open(&staged.path, &entry_symbol(&descriptor), threads)?;
        Ok((MappedLibrary { library, path, descriptor, slot, staged }, module))
    }
}

/// Maps a library and checks its module.
pub(crate) fn open(
    path: &Path,
    entry: &str,
    threads: BayThreads,
) -> Result<(Arc<Library>, Module), Refusal> {
    let library = Arc::new(Library::open(path, threads)?);
    match Module::of(&library, entry) {
        Ok(module) => Ok((library, module)),
        Err(refusal) => {
            if let Some(retained) = retained::close(library, None) {
                tracing::debug!(reason = retained.reason(), "a refused library is unmapped later");
            }
            Err(refusal)
        }
    }
}

/// A library that is mapped into this process. A library that is dropped stays mapped.
// Field order is drop order: the private copy is removed after the library that is mapped from it.
#[derive(Debug)]
pub struct MappedLibrary {
    library: Arc<Library>,
    path: PathBuf,
    descriptor: Descriptor,
    /// Attributes a crash to the plugin. Dropped after the library.
    slot: Option<SlotGuard>,
    staged: Staged,
}

impl MappedLibrary {
    /// Returns the file in the plugins folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the SHA-256 of the library, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.staged.hash
    }

    /// Returns the descriptor in the library's ELF section.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Returns the number of bytes of address space that the library takes.
    pub fn mapped_bytes(&self) -> u64 {
        self.library.mapped_bytes()
    }

    /// Records that the load is over, so that a crash from now on is one of a running plugin.
    pub fn mark_loaded(&self) {
        if let Some(slot) = &self.slot {
            slot.loaded(self.library.code());
        }
    }

    /// Unmaps the library, unless a thread may run its code. Blocks for up to a second.
    ///
    /// Returns a handle to the library if something keeps it mapped: one of its
    /// [`threads`](ReadyLibrary::threads), its [`Module`] or a value that it made, a thread of the
    /// plugin's own, or the dynamic linker.
    pub fn close(self) -> Option<RetainedLibrary> {
        let Self { library, slot, staged: _staged, .. } = self;
        retained::close(library, slot)
    }

    /// Leaves the library mapped for the rest of the process, because threads still run its code.
    pub fn keep(self) {
        Library::keep(self.library);
        SlotGuard::keep(self.slot);
    }
}
