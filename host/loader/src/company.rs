//! The libraries that a plugin brings along, and that go when it goes.
//!
//! A plugin that is linked with a library which the host does not use has the dynamic linker
//! map that as well, and unmap it with the last plugin that needs it. Threads in its code are
//! to be heeded then as those in the plugin's own.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{elf::links_of, maps::Maps};

static KNOWN: Mutex<Known> = Mutex::new(Known { of_host: None, of_plugins: BTreeMap::new() });

/// Held while a plugin with company goes: of two at a time, each would rely on the other one
/// to keep what both need.
static GOING: Mutex<()> = Mutex::new(());

struct Known {
    /// Those that were there before the first plugin, once that is known.
    of_host: Option<BTreeSet<PathBuf>>,
    /// What each plugin needs beside those.
    of_plugins: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
}

/// What one plugin needs, as long as it is mapped.
#[derive(Debug)]
pub(crate) struct Company {
    plugin: PathBuf,
}

/// To be called before a plugin is mapped.
pub(crate) fn note_host() {
    let mut known = lock();
    known.of_host.get_or_insert_with(|| Maps::of_now().libraries().collect());
}

impl Company {
    /// That of a plugin which was mapped just now.
    pub(crate) fn of(plugin: &Path) -> Self {
        let mapped: BTreeSet<_> = Maps::of_now().libraries().collect();
        let mut known = lock();
        let is_other = |path: &PathBuf| {
            path != plugin
                && !known.of_plugins.contains_key(path)
                && !known.of_host.as_ref().is_some_and(|host| host.contains(path))
        };
        let others: Vec<_> = mapped.into_iter().filter(is_other).collect();
        // Most plugins bring nothing, and nothing needs to be read.
        let needed = if others.is_empty() { BTreeSet::new() } else { needed_by(plugin, &others) };
        known.of_plugins.insert(plugin.to_owned(), needed);
        Self { plugin: plugin.to_owned() }
    }

    /// To be held while the plugin goes, if it has company.
    pub(crate) fn turn(&self) -> Option<MutexGuard<'static, ()>> {
        let is_alone = lock().of_plugins.get(&self.plugin).is_none_or(BTreeSet::is_empty);
        (!is_alone).then(|| GOING.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The code of those that go with the plugin, because no other one needs them.
    pub(crate) fn code(&self, maps: &Maps) -> Vec<Range<usize>> {
        let known = lock();
        let Some(needed) = known.of_plugins.get(&self.plugin) else { return Vec::new() };
        let others = || known.of_plugins.iter().filter(|(plugin, _)| **plugin != self.plugin);
        let leaving = needed.iter().filter(|path| !others().any(|(_, it)| it.contains(*path)));
        leaving.flat_map(|path| maps.code(path)).collect()
    }

    /// The code of those who have nothing to do with the plugin: the host, what it is linked
    /// with, and other plugins. Threads that the C library starts may be anybody's.
    pub(crate) fn strange_code(&self, maps: &Maps) -> Vec<Range<usize>> {
        let known = lock();
        let of_host = known.of_host.iter().flatten().filter(|path| !is_c_library(path));
        let plugins = known.of_plugins.keys().filter(|plugin| **plugin != self.plugin);
        of_host.chain(plugins).flat_map(|path| maps.code(path)).collect()
    }
}

impl Drop for Company {
    fn drop(&mut self) {
        lock().of_plugins.remove(&self.plugin);
    }
}

/// Which of these libraries a plugin needs, directly or through others.
fn needed_by(plugin: &Path, among: &[PathBuf]) -> BTreeSet<PathBuf> {
    let linked: Vec<_> = among.iter().map(|path| (path, links_of(path))).collect();
    let mut needed = BTreeSet::new();
    let mut names = links_of(plugin).needed;
    while let Some(name) = names.pop() {
        let goes_by = |path: &Path, own: &Option<String>| {
            own.as_ref() == Some(&name) || path.file_name().is_some_and(|file| file == &*name)
        };
        for (path, links) in linked.iter().filter(|(path, links)| goes_by(path, &links.name)) {
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

fn lock() -> MutexGuard<'static, Known> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}
