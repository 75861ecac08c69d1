//! The last step of a load and the first step of an unload, for the owner of a bay: mapping a
//! library on the bay's own threads, and closing it after they have ended.

use std::path::{Path, PathBuf};

use hotbay_plugin_api::{Manifest, abi::PluginRef};

use crate::{
    Descriptor, Refusal, RetainedLibrary,
    crash::{SlotGuard, SlotId},
    elf::entry_symbol,
    foreign_threads,
    library::Library,
    manifest, retained,
    staging::Staged,
};

/// A library that was inspected and whose copy is unchanged since.
///
/// First start the threads that will run the library's code and let each of them enter
/// [`mark`](Self::mark). Then call [`map`](Self::map) on one of them.
#[derive(Debug)]
pub struct ReadyLibrary {
    path: PathBuf,
    descriptor: Descriptor,
    staged: Staged,
    /// `None` if all slots are in use. A crash is then not attributed to the plugin.
    slot: Option<SlotGuard>,
}

impl ReadyLibrary {
    pub(crate) fn new(path: PathBuf, descriptor: Descriptor, staged: Staged) -> Self {
        let slot = SlotGuard::loading(&descriptor.name, &staged.hash, &path);
        Self { path, descriptor, staged, slot }
    }

    /// Returns the file in the plugins folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the name of the plugin.
    pub fn name(&self) -> &str {
        &self.descriptor.name
    }

    /// Returns the mark for the threads that will run the library's code.
    pub fn mark(&self) -> ThreadMark {
        ThreadMark(self.slot.as_ref().map_or(SlotId::NONE, SlotGuard::id))
    }

    /// Maps the library and checks its layout.
    ///
    /// This runs the library's constructors, so call it on one of the threads that are joined
    /// before the library is closed.
    ///
    /// # Errors
    /// If the dynamic linker or the layout check refuses the library. The library is not mapped
    /// then.
    pub fn map(self) -> Result<(MappedLibrary, PluginRef), Refusal> {
        let Self { path, descriptor, staged, slot } = self;
        let (library, module) = open(&staged.path, &entry_symbol(&descriptor))?;
        Ok((MappedLibrary { library, path, descriptor, slot, staged }, module))
    }
}

/// Maps a library and checks its module. A library whose module is refused is unmapped again.
pub(crate) fn open(path: &Path, entry: &str) -> Result<(Library, PluginRef), Refusal> {
    let library = Library::open(path)?;
    match library.module(entry) {
        Ok(module) => Ok((library, module)),
        Err(refusal) => {
            if let Some(retained) = retained::close(library, None) {
                tracing::error!(reason = retained.reason(), "a refused library stays mapped");
            }
            Err(refusal)
        }
    }
}

/// A library that is mapped into this process. A library that is dropped stays mapped.
// Field order is drop order: the private copy is removed after the library that is mapped from it.
#[derive(Debug)]
pub struct MappedLibrary {
    library: Library,
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
    /// Every thread with the library's mark must have ended. Returns a handle to the library if
    /// something keeps it mapped.
    pub fn close(self) -> Option<RetainedLibrary> {
        let Self { library, slot, staged: _staged, .. } = self;
        retained::close(library, slot)
    }

    /// Leaves the library mapped for the rest of the process, because threads still run its code.
    pub fn keep(self) {
        self.library.keep();
        SlotGuard::keep(self.slot);
    }
}

/// Marks a thread as one that runs the code of a certain plugin.
#[derive(Debug, Clone, Copy)]
pub struct ThreadMark(SlotId);

impl ThreadMark {
    /// The mark for threads that run the code of a plugin that is linked into this program.
    pub const LINKED: Self = Self(SlotId::NONE);

    /// Marks the calling thread. Call this when the thread starts.
    pub fn enter(self) {
        self.0.enter();
        foreign_threads::register_bay_thread();
    }

    /// Removes the mark of the calling thread. Call this when the thread ends.
    pub fn leave() {
        foreign_threads::unregister_bay_thread();
    }
}

/// Asks a module for its manifest and checks it against the descriptor. This runs code of the
/// plugin.
///
/// # Errors
/// [`Refusal::Manifest`] if the text is not a manifest, or contradicts the descriptor.
pub fn read_manifest(module: PluginRef, descriptor: &Descriptor) -> Result<Manifest, Refusal> {
    manifest::parse(&manifest::to_text(module.manifest()())?, descriptor)
}
