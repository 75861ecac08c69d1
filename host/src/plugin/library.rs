//! The one place that maps a library, looks into it, and unmaps it.

#![expect(unsafe_code, reason = "loading and closing a library can't be proved by the compiler")]

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use abi_stable::{
    StableAbi,
    abi_stability::abi_checking::{CheckingGlobals, check_layout_compatibility_with_globals},
    library::{AbiHeaderRef, LibHeader},
};
use hotbay_plugin_api::abi::PluginRef;
use libloading::os::unix::{Library as Handle, RTLD_LOCAL, RTLD_NOW};

use super::{Refusal, keys::Keys};

/// Libraries that `dlclose` left mapped. It lets go of them at a later call, once the threads
/// have ended that pinned them; only then can their keys go.
static PINNED: Mutex<Vec<(PathBuf, Keys)>> = Mutex::new(Vec::new());

/// A mapped library, for [`Library::close`] or [`Library::keep`].
#[derive(Debug)]
pub(super) struct Library {
    handle: Handle,
    path: PathBuf,
}

/// Whether the dynamic linker really let go of a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unmapped {
    Gone,
    /// Something pinned it, such as a thread-local destructor on a foreign thread.
    StillMapped,
}

impl Library {
    /// Maps the library and checks that its module has the layout that this host knows.
    ///
    /// Call it on a thread of the library's bay: constructors run here.
    pub(super) fn open(path: &Path, entry: &str) -> Result<(Self, PluginRef), Refusal> {
        // All symbols are bound now: a missing one is an error here, not a crash later.
        // SAFETY: the file was loaded in the probe before, so its constructors are
        // known to return; a library that harms its process can't be defended against.
        let handle = unsafe { Handle::open(Some(path), RTLD_NOW | RTLD_LOCAL) }
            .map_err(|error| Refusal::Linking(without(path, &error.to_string())))?;
        let library = Self { handle, path: path.to_owned() };
        match library.module(entry) {
            Ok(module) => Ok((library, module)),
            Err(refusal) => {
                library.close();
                Err(refusal)
            }
        }
    }

    fn module(&self, entry: &str) -> Result<PluginRef, Refusal> {
        let header = self.header(entry)?;
        let layout = header
            .layout()
            .ok_or_else(|| Refusal::Layout("the library hides its layout".to_owned()))?;
        // abi_stable's own globals would keep references into this library, and
        // crash at the next check after it was unmapped: fresh ones for each load.
        check_layout_compatibility_with_globals(PluginRef::LAYOUT, layout, &CheckingGlobals::new())
            .map_err(|errors| Refusal::Layout(first_line(&errors.to_string())))?;
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
    /// may be alive: the caller, [`Generation`](super::Generation), has joined its bay.
    pub(super) fn close(self) -> Unmapped {
        let Self { handle, path } = self;
        let keys = Keys::of(&code(&maps(), &path));
        if let Err(error) = handle.close() {
            tracing::error!(%error, path = %path.display(), "dlclose failed");
        }
        let mut pinned = PINNED.lock().unwrap_or_else(PoisonError::into_inner);
        pinned.push((path.clone(), keys));
        let maps = maps();
        for (_, keys) in pinned.extract_if(.., |(pinned, _)| !is_mapped(&maps, pinned)) {
            keys.delete();
        }
        let stays = pinned.iter().any(|(pinned, _)| *pinned == path);
        if stays { Unmapped::StillMapped } else { Unmapped::Gone }
    }

    /// How much address space it takes, in bytes.
    pub(super) fn mapped_bytes(&self) -> u64 {
        let Some(path) = self.path.to_str() else { return 0 };
        let maps = maps();
        let of_this = maps.lines().filter(|line| line.contains(path));
        of_this.filter_map(addresses).map(|range| range.len() as u64).sum()
    }

    /// Where its code lies; between two parts of it there is nothing of anybody else.
    pub(super) fn code(&self) -> Range<usize> {
        let parts = code(&maps(), &self.path);
        let start = parts.iter().map(|part| part.start).min().unwrap_or_default();
        start..parts.iter().map(|part| part.end).max().unwrap_or_default()
    }

    /// Leaves the library mapped for the rest of the process.
    pub(super) fn keep(self) {
        std::mem::forget(self.handle);
    }
}

fn maps() -> String {
    std::fs::read_to_string("/proc/self/maps").unwrap_or_default()
}

/// Whether this process maps code of this path; what can't be known is taken for mapped.
///
/// Not just any part of it: with `RUST_BACKTRACE` set, a plugin that panics maps its own
/// file to name its functions, and never lets go of that. It is a file that is read then,
/// no library.
fn is_mapped(maps: &str, path: &Path) -> bool {
    maps.is_empty() || path.to_str().is_none() || !code(maps, path).is_empty()
}

/// Where the code of this file is mapped: the lines of `maps` that are executable.
fn code(maps: &str, path: &Path) -> Vec<Range<usize>> {
    let Some(path) = path.to_str() else { return Vec::new() };
    let of_path = maps.lines().filter(|line| line.contains(path));
    let code =
        of_path.filter(|line| line.split_whitespace().nth(1).is_some_and(|it| it.contains('x')));
    code.filter_map(addresses).collect()
}

/// The addresses of one line's mapping, `START-END …` in hexadecimal: see proc_pid_maps(5).
fn addresses(line: &str) -> Option<Range<usize>> {
    let (start, end) = line.split_whitespace().next()?.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    Some(address(start)?..address(end)?)
}

/// The linker's text without the path of the copy, which says nothing to people.
fn without(path: &Path, text: &str) -> String {
    let path = path.display().to_string();
    text.replace(&format!("{path}: "), "").replace(&path, "it")
}

/// abi_stable's reports span many lines; the first that says something is enough for people.
fn first_line(report: &str) -> String {
    let mut lines = report.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.next().unwrap_or("the layouts differ").to_owned()
}
