//! The task `sync_data`, which copies new and changed files of a folder to another one.
//!
//! A file is written under another name, verified, and then renamed, so nobody finds a part of it
//! under its own name. What a run that was broken off has copied already is there for the next
//! one, which goes on in the middle of a file.

mod copy;

use std::{
    cell::LazyCell,
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
};

use hotbay_plugin_api::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    check_cancelled,
    folder::{Entry, Folder, FolderError, Kind},
    problems::Problems,
    settings::Patterns,
};
use copy::{copy, have_same_content, is_part, part_of};

/// The settings of `sync_data`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The folder whose files are copied, at any depth. It may be no symbolic link, and links in
    /// it are left out.
    from: PathBuf,
    /// The folder to which they are copied. It has to be there, so that nothing is written in its
    /// place when its disk is not mounted. Nothing outside of it is changed.
    to: PathBuf,
    /// How a file that has changed is told from one that has not.
    #[serde(default)]
    compare: Compare,
    /// Whether what is not in `from` is removed from `to`.
    #[serde(default)]
    delete: bool,
    /// The patterns of files and folders that are neither copied nor removed.
    #[serde(default)]
    leave_out: Patterns,
}

/// How a file that has changed is told from one that has not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Compare {
    /// By its size and by when it was modified.
    #[default]
    Times,
    /// By its checksum, for which both files are read.
    Checksums,
}

/// The result of `sync_data`.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Synced {
    copied: u64,
    copied_bytes: u64,
    unchanged: u64,
    removed: u64,
    /// Links, special files, and what the settings leave out.
    left_out: u64,
}

/// Copies what is new or has changed, verifies each copy, and removes what is gone.
///
/// What can't be copied fails the run, after all else was copied. The next attempt then has only
/// that to do.
pub(crate) fn sync_data(context: Context) -> Result<Synced, SchedulerError> {
    let settings: Settings = context.config()?;
    check_apart(&settings.from, &settings.to)?;
    let open = |path| Folder::open(path).map_err(SchedulerError::execution);
    let (from, to) = (open(&settings.from)?, open(&settings.to)?);
    let names = |folder: &Folder| folder.names().map_err(SchedulerError::execution);
    if settings.delete && names(&from)?.is_empty() && !names(&to)?.is_empty() {
        return Err(SchedulerError::TaskExecution(format!(
            "{} is empty, so nothing is removed from {}: is its disk mounted? If it is meant to be \
             empty, empty the other folder by hand",
            settings.from.display(),
            settings.to.display()
        )));
    }
    let mut sync =
        Sync { settings, context, synced: Synced::default(), problems: Problems::default() };
    let ended = sync.folder(&from, &to, Path::new(""));
    let Sync { context, synced, problems, .. } = sync;
    context.counter("copied_files").add(synced.copied);
    context.counter("copied_bytes").add(synced.copied_bytes);
    context.counter("removed_files").add(synced.removed);
    ended?;
    tracing::info!(synced.copied, synced.copied_bytes, synced.unchanged, synced.removed, "copied");
    problems.result(synced)
}

/// Refuses folders of which one lies in the other: a copy would be copied again, or the original be
/// removed.
fn check_apart(from: &Path, to: &Path) -> Result<(), SchedulerError> {
    let whole = |path: &Path| {
        fs::canonicalize(path).map_err(|error| {
            SchedulerError::execution(FolderError::new("open the folder", path.to_owned(), error))
        })
    };
    let (whole_from, whole_to) = (whole(from)?, whole(to)?);
    if whole_from.starts_with(&whole_to) || whole_to.starts_with(&whole_from) {
        return Err(SchedulerError::Configuration(format!(
            "`from` and `to` must not lie in one another: {} and {}",
            from.display(),
            to.display()
        )));
    }
    Ok(())
}

struct Sync {
    settings: Settings,
    context: Context,
    synced: Synced,
    problems: Problems,
}

impl Sync {
    /// Brings one folder up to date.
    ///
    /// # Errors
    /// If the run was asked to stop. Other problems are noted.
    fn folder(&mut self, from: &Folder, to: &Folder, within: &Path) -> Result<(), SchedulerError> {
        // Without the names, nothing is removed from `to`: it may well be in `from`.
        let Some(names) = self.problems.noted(from.names()) else { return Ok(()) };
        let copied = self.synced.copied;
        for name in &names {
            check_cancelled(&self.context)?;
            if is_part(name) || self.settings.leave_out.matches(&within.join(name)) {
                self.synced.left_out += 1;
                continue;
            }
            let within = within.join(name);
            let entered = self.entry(from, to, name, &within);
            if let Some((from, to)) = self.problems.noted(entered).flatten() {
                self.folder(&from, &to, &within)?;
            }
        }
        self.tidy(to, &names, within)?;
        if self.synced.copied > copied {
            self.problems.noted(to.sync());
        }
        Ok(())
    }

    /// Brings one entry up to date. Returns the folders if it is one to go into.
    fn entry(
        &mut self,
        from: &Folder,
        to: &Folder,
        name: &OsStr,
        within: &Path,
    ) -> Result<Option<(Folder, Folder)>, FolderError> {
        let Some(entry) = from.entry(name)? else { return Ok(None) };
        let mut there = to.entry(name)?;
        let is_copied = matches!(entry.kind, Kind::File | Kind::Folder);
        let is_in_the_way = |it: &Entry| (it.kind == Kind::Folder) != (entry.kind == Kind::Folder);
        if self.settings.delete && is_copied && there.as_ref().is_some_and(is_in_the_way) {
            self.remove(to, name, within)?;
            there = to.entry(name)?;
        }
        match entry.kind {
            Kind::Link | Kind::Special => self.synced.left_out += 1,
            Kind::File if self.is_unchanged(from, to, name, entry, there)? => {
                self.synced.unchanged += 1;
            }
            Kind::File => {
                // If the run was asked to stop, the loop notices it.
                if let Some(bytes) = copy(from, to, name, &self.context)? {
                    self.synced.copied += 1;
                    self.synced.copied_bytes += bytes;
                }
            }
            Kind::Folder => {
                if there.is_none() {
                    to.make_folder(name)?;
                }
                let inner = from.folder(name)?.zip(to.folder(name)?);
                // Another file system is mounted at one of them.
                self.synced.left_out += u64::from(inner.is_none());
                return Ok(inner);
            }
        }
        Ok(None)
    }

    fn is_unchanged(
        &self,
        from: &Folder,
        to: &Folder,
        name: &OsStr,
        entry: Entry,
        there: Option<Entry>,
    ) -> Result<bool, FolderError> {
        let Some(there) = there.filter(|it| it.kind == Kind::File && it.bytes == entry.bytes)
        else {
            return Ok(false);
        };
        match self.settings.compare {
            Compare::Times => Ok(there.modified_ns == entry.modified_ns),
            Compare::Checksums => have_same_content(from, to, name, &self.context),
        }
    }

    /// Removes what is not in `names` from a folder, if the settings say so, and in any case what
    /// copies left behind that were broken off and will not be continued.
    fn tidy(
        &mut self,
        to: &Folder,
        names: &[OsString],
        within: &Path,
    ) -> Result<(), SchedulerError> {
        // Each is a hash, which is not computed again for each part that was left behind.
        let wanted =
            LazyCell::new(|| names.iter().map(|name| part_of(name)).collect::<BTreeSet<_>>());
        for name in self.problems.noted(to.names()).into_iter().flatten() {
            check_cancelled(&self.context)?;
            let removed = if is_part(&name) {
                if wanted.contains(&name) { Ok(false) } else { to.remove_file(&name) }
            } else if self.settings.delete && names.binary_search(&name).is_err() {
                self.remove(to, &name, &within.join(&name))
            } else {
                Ok(false)
            };
            self.problems.noted(removed);
        }
        Ok(())
    }

    /// Removes an entry with all that is in it, but for what is left out. Returns `true` if it is
    /// gone.
    fn remove(&mut self, to: &Folder, name: &OsStr, within: &Path) -> Result<bool, FolderError> {
        let Some(entry) = to.entry(name)? else { return Ok(true) };
        if self.context.is_cancelled() || self.settings.leave_out.matches(within) {
            return Ok(false);
        }
        if entry.kind != Kind::Folder {
            let is_gone = to.remove_file(name)?;
            self.synced.removed += u64::from(is_gone);
            return Ok(is_gone);
        }
        let Some(folder) = to.folder(name)? else { return Ok(false) };
        let mut is_empty = true;
        for inner in folder.names()? {
            is_empty &= self.remove(&folder, &inner, &within.join(&inner))?;
        }
        if is_empty { to.remove_folder(name) } else { Ok(false) }
    }
}

#[cfg(test)]
mod tests;
