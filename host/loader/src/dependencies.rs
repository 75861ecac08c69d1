//! The libraries that a plugin is linked with and the host is not.
//!
//! The dynamic linker maps such a library with the first plugin that needs it, and unmaps it with
//! the last one. Threads in its code must then be considered like threads in the plugin's own code.
//!
//! Lock order: [`UNLOADING`] before [`KNOWN`]. `KNOWN` is held for single lookups only, never while
//! a library is mapped or unmapped.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::{Path, PathBuf},
};

use parking_lot::{Mutex, MutexGuard};

use crate::{elf::links_of, maps::Maps};

static KNOWN: Mutex<Known> = Mutex::new(Known { of_host: None, of_plugins: BTreeMap::new() });

/// Held while a plugin with dependencies is unloaded. Of two such plugins at the same time, each
/// would assume that the other one keeps the dependencies that both need.
static UNLOADING: Mutex<()> = Mutex::new(());

struct Known {
    /// The libraries that were mapped before the first plugin. `None` until that is known.
    of_host: Option<BTreeSet<PathBuf>>,
    /// The further libraries that each mapped plugin needs.
    of_plugins: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
}

/// The dependencies of one plugin, for as long as the plugin is mapped.
#[derive(Debug)]
pub(crate) struct Dependencies {
    plugin: PathBuf,
}

/// Records which libraries belong to the host. Call this before a plugin is mapped.
pub(crate) fn record_host_libraries() {
    KNOWN.lock().of_host.get_or_insert_with(|| Maps::current().libraries().collect());
}

impl Dependencies {
    /// Determines the dependencies of a plugin that was mapped just now.
    pub(crate) fn of(plugin: &Path) -> Self {
        let mapped: BTreeSet<_> = Maps::current().libraries().collect();
        let mut known = KNOWN.lock();
        let is_new = |path: &PathBuf| {
            path != plugin
                && !known.of_plugins.contains_key(path)
                && !known.of_host.as_ref().is_some_and(|host| host.contains(path))
        };
        let candidates: Vec<_> = mapped.into_iter().filter(is_new).collect();
        // Most plugins have no dependencies, and then no file needs to be read.
        let needed =
            if candidates.is_empty() { BTreeSet::new() } else { needed_by(plugin, &candidates) };
        known.of_plugins.insert(plugin.to_owned(), needed);
        Self { plugin: plugin.to_owned() }
    }

    /// Waits until no other plugin with dependencies is being unloaded. Hold the guard while this
    /// plugin is unloaded. A plugin without dependencies needs no guard.
    pub(crate) fn lock_unloading(&self) -> Option<MutexGuard<'static, ()>> {
        let is_empty = KNOWN.lock().of_plugins.get(&self.plugin).is_none_or(BTreeSet::is_empty);
        (!is_empty).then(|| UNLOADING.lock())
    }

    /// Returns the files of the dependencies.
    pub(crate) fn paths(&self) -> BTreeSet<PathBuf> {
        KNOWN.lock().of_plugins.get(&self.plugin).cloned().unwrap_or_default()
    }

    /// Returns the files of the dependencies that no other plugin needs, and that are therefore
    /// unmapped together with this plugin.
    pub(crate) fn exclusive(&self) -> Vec<PathBuf> {
        let known = KNOWN.lock();
        let Some(needed) = known.of_plugins.get(&self.plugin) else { return Vec::new() };
        let others = || known.of_plugins.iter().filter(|(plugin, _)| **plugin != self.plugin);
        let exclusive = needed.iter().filter(|path| !others().any(|(_, it)| it.contains(*path)));
        exclusive.cloned().collect()
    }

    /// Returns the code of these dependencies.
    pub(crate) fn exclusive_code(&self, maps: &Maps) -> Vec<Range<usize>> {
        self.exclusive().iter().flat_map(|path| maps.code(path)).collect()
    }

    /// Returns the code that is unrelated to the plugin: that of the host, of the libraries that
    /// the host is linked with, and of other plugins. The C library is not part of it, because a
    /// thread that the C library starts can belong to anybody.
    pub(crate) fn unrelated_code(&self, maps: &Maps) -> Vec<Range<usize>> {
        let known = KNOWN.lock();
        let of_host = known.of_host.iter().flatten().filter(|path| !is_c_library(path));
        let plugins = known.of_plugins.keys().filter(|plugin| **plugin != self.plugin);
        of_host.chain(plugins).flat_map(|path| maps.code(path)).collect()
    }
}

impl Drop for Dependencies {
    fn drop(&mut self) {
        KNOWN.lock().of_plugins.remove(&self.plugin);
    }
}

/// Returns the candidates that a plugin needs, directly or through other candidates.
fn needed_by(plugin: &Path, candidates: &[PathBuf]) -> BTreeSet<PathBuf> {
    let candidates: Vec<_> = candidates.iter().map(|path| (path, links_of(path))).collect();
    let mut needed = BTreeSet::new();
    let mut names = links_of(plugin).needed;
    while let Some(name) = names.pop() {
        let has_name = |path: &Path, soname: &Option<String>| {
            soname.as_ref() == Some(&name) || path.file_name().is_some_and(|file| file == &*name)
        };
        for (path, links) in candidates.iter().filter(|(path, it)| has_name(path, &it.name)) {
            if needed.insert((*path).clone()) {
                names.extend(links.needed.iter().cloned());
            }
        }
    }
    needed
}

fn is_c_library(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    ["libc.", "libc-", "libpthread", "librt", "libanl", "ld-"].iter().any(|it| name.starts_with(it))
}
