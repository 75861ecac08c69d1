//! The last steps of a load, and the first of an unload: what the owner of a bay needs to
//! map a library on its own threads, and to let go of it when they ended.

use std::path::{Path, PathBuf};

use hotbay_plugin_api::{Manifest, abi::PluginRef};

use crate::{
    Descriptor, Refusal, Remains,
    crash::{Mark, Resident},
    elf::entry_symbol,
    library::Library,
    probe, remains,
    staging::Staged,
    strangers,
    texts::received,
};

/// A library that was inspected, and whose copy is still the one that was inspected.
///
/// Start the threads that are to run its code first, each with [`mark`](Self::mark), and
/// call [`map`](Self::map) on one of them.
#[derive(Debug)]
pub struct ReadyLibrary {
    pub(crate) path: PathBuf,
    pub(crate) descriptor: Descriptor,
    pub(crate) staged: Staged,
    pub(crate) resident: Option<Resident>,
}

impl ReadyLibrary {
    pub(crate) fn new(path: PathBuf, descriptor: Descriptor, staged: Staged) -> Self {
        let resident = Resident::loading(&descriptor.name, &staged.hash, &path);
        Self { path, descriptor, staged, resident }
    }

    /// The file in the plugins folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The plugin's name.
    pub fn name(&self) -> &str {
        &self.descriptor.name
    }

    /// What the threads bear that run the library's code.
    pub fn mark(&self) -> ThreadMark {
        ThreadMark(self.resident.as_ref().map_or(Mark::NONE, Resident::mark))
    }

    /// Maps the library and checks its layout. Runs its constructors, so call it on one of
    /// the threads that are joined before the library is closed.
    ///
    /// # Errors
    /// If the dynamic linker or the layout check refuses the library; it is unmapped then.
    pub fn map(self) -> Result<(MappedLibrary, PluginRef), Refusal> {
        let Self { path, descriptor, staged, resident } = self;
        let (library, module) = Library::open(&staged.path, &entry_symbol(&descriptor))?;
        Ok((MappedLibrary { library, path, descriptor, resident, staged }, module))
    }
}

/// A library that is mapped into this process. One that is dropped stays mapped.
// Field order is drop order: the copy goes after the library that is mapped from it.
#[derive(Debug)]
pub struct MappedLibrary {
    library: Library,
    path: PathBuf,
    descriptor: Descriptor,
    /// Names the plugin if it brings the host down. Ends after the library.
    resident: Option<Resident>,
    staged: Staged,
}

impl MappedLibrary {
    /// The file in the plugins folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The SHA-256 of the bytes that are mapped, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.staged.hash
    }

    /// The descriptor in the library's ELF section.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// How much address space the library takes, in bytes.
    pub fn mapped_bytes(&self) -> u64 {
        self.library.mapped_bytes()
    }

    /// Notes that the load is over: a crash from now on is one of a running plugin.
    pub fn note_loaded(&self) {
        if let Some(resident) = &self.resident {
            resident.loaded(self.library.code());
        }
    }

    /// Unmaps the library, unless a thread is in its code. Blocks for up to a second.
    ///
    /// Every thread that bore its mark must have ended. Returns what is left of it, if
    /// something keeps it mapped.
    pub fn close(self) -> Option<Remains> {
        let Self { library, resident, staged: _staged, .. } = self;
        remains::close(library, resident)
    }

    /// Keeps the library mapped for the rest of the process, because threads run its code.
    pub fn keep(self) {
        self.library.keep();
        Resident::keep(self.resident);
    }
}

/// What tells a thread whose code it runs.
#[derive(Debug, Clone, Copy)]
pub struct ThreadMark(Mark);

impl ThreadMark {
    /// The mark of threads that run the code of a plugin that is linked into this program.
    pub const LINKED: Self = Self(Mark::NONE);

    /// Marks the calling thread, from its start to its end.
    pub fn enter(self) {
        self.0.enter();
        strangers::enter_bay();
    }

    /// Says that the calling thread, which is marked, ends.
    pub fn leave() {
        strangers::leave_bay();
    }
}

/// Asks a module for its manifest and holds that against the descriptor. Runs code of the plugin.
///
/// # Errors
/// [`Refusal::Manifest`] if it is not one, or says something else than the descriptor.
pub fn read_manifest(module: PluginRef, descriptor: &Descriptor) -> Result<Manifest, Refusal> {
    probe::check(&received(module.manifest()())?, descriptor)
}
