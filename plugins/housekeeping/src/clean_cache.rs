//! The task `clean_cache`, which removes old files.

use std::{ffi::OsStr, path::Path, time::Duration};

use hotbay_plugin_api::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    check_cancelled,
    folder::{Folder, Kind},
    problems::Problems,
    settings::{Folders, Patterns},
};

/// How many removed files are named in a run's result.
const NAMED: usize = 100;

/// The settings of `clean_cache`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The folders from which files are removed, at any depth. None of them may be a symbolic
    /// link, and what links in them lead to is left alone. The folders themselves stay.
    folders: Folders,
    /// For how long a file must not have been modified to be removed, such as `7days`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    older_than: Duration,
    /// The patterns of files that stay, and of folders that stay with all that is in them.
    #[serde(default)]
    keep: Patterns,
    /// Whether folders are removed that are empty and were not changed for as long.
    #[serde(default)]
    remove_empty_folders: bool,
    /// Whether nothing is removed, and the result says what would be.
    #[serde(default)]
    dry_run: bool,
}

/// The result of `clean_cache`: what was removed, or would be in a dry run.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Removed {
    dry_run: bool,
    files: u64,
    bytes: u64,
    folders: u64,
    /// The first files, by their paths.
    first: Vec<String>,
}

/// Removes the files that are older than the settings say.
///
/// What can't be removed fails the run, after all else was removed.
pub(crate) async fn clean_cache(context: Context) -> Result<Removed, SchedulerError> {
    let settings: Settings = context.config()?;
    // Looking at and removing files blocks. It is done on a thread of its own, so that the plugin's
    // other tasks are not held up.
    let run = tokio::task::spawn_blocking(move || Cleaning::new(settings, context).run());
    let (removed, problems) = run.await.map_err(SchedulerError::execution)??;
    tracing::info!(removed.files, removed.bytes, removed.folders, removed.dry_run, "cleaned");
    problems.result(removed)
}

struct Cleaning {
    settings: Settings,
    context: Context,
    /// Files that were modified after this time stay: nanoseconds since 1970, UTC.
    limit_ns: i64,
    removed: Removed,
    problems: Problems,
}

impl Cleaning {
    fn new(settings: Settings, context: Context) -> Self {
        let age = i64::try_from(settings.older_than.as_nanos()).unwrap_or(i64::MAX);
        let limit_ns = context.now_ns().saturating_sub(age);
        let removed = Removed { dry_run: settings.dry_run, ..Removed::default() };
        Self { settings, context, limit_ns, removed, problems: Problems::default() }
    }

    fn run(mut self) -> Result<(Removed, Problems), SchedulerError> {
        let ended = self.clean_all();
        // What was removed before the run was asked to stop counts as well.
        if !self.settings.dry_run {
            self.context.counter("removed_files").add(self.removed.files);
            self.context.counter("removed_bytes").add(self.removed.bytes);
        }
        ended?;
        Ok((self.removed, self.problems))
    }

    /// Removes the old files of all folders.
    ///
    /// # Errors
    /// If the run was asked to stop. Other problems are noted.
    fn clean_all(&mut self) -> Result<(), SchedulerError> {
        for path in self.settings.folders.0.clone() {
            if let Some(folder) = self.problems.noted(Folder::open(&path)) {
                self.clean(&folder, Path::new(""))?;
            }
        }
        Ok(())
    }

    /// Removes the old files below a folder. Returns `true` if nothing is left in it.
    ///
    /// # Errors
    /// If the run was asked to stop. Other problems are noted.
    fn clean(&mut self, folder: &Folder, within: &Path) -> Result<bool, SchedulerError> {
        let Some(names) = self.problems.noted(folder.names()) else { return Ok(false) };
        let mut is_empty = true;
        for name in names {
            check_cancelled(&self.context)?;
            let is_gone = match self.problems.noted(folder.entry(&name)) {
                None => false,
                Some(None) => true,
                Some(Some(_)) if self.settings.keep.matches(&within.join(&name)) => false,
                Some(Some(entry)) if entry.kind == Kind::Folder => {
                    let is_old = entry.modified_ns <= self.limit_ns;
                    self.clean_folder(folder, &name, within, is_old)?
                }
                Some(Some(entry)) if entry.modified_ns > self.limit_ns => false,
                Some(Some(entry)) if entry.kind == Kind::Special => false,
                Some(Some(entry)) => {
                    let bytes = if entry.kind == Kind::File { entry.bytes } else { 0 };
                    self.remove_file(folder, &name, bytes)
                }
            };
            is_empty &= is_gone;
        }
        Ok(is_empty)
    }

    /// Cleans a folder in another one, and removes it if the settings say so. Returns `true` if it
    /// is gone.
    fn clean_folder(
        &mut self,
        around: &Folder,
        name: &OsStr,
        within: &Path,
        is_old: bool,
    ) -> Result<bool, SchedulerError> {
        let folder = self.problems.noted(around.folder(name)).flatten();
        let Some(folder) = folder else { return Ok(false) };
        let is_empty = self.clean(&folder, &within.join(name))?;
        if !is_empty || !is_old || !self.settings.remove_empty_folders {
            return Ok(false);
        }
        let is_gone =
            self.settings.dry_run || self.problems.noted(around.remove_folder(name)) == Some(true);
        self.removed.folders += u64::from(is_gone);
        Ok(is_gone)
    }

    /// Removes a file, and returns `true` if it is gone.
    fn remove_file(&mut self, folder: &Folder, name: &OsStr, bytes: u64) -> bool {
        let is_gone =
            self.settings.dry_run || self.problems.noted(folder.remove_file(name)) == Some(true);
        if is_gone {
            self.removed.files += 1;
            self.removed.bytes = self.removed.bytes.saturating_add(bytes);
            if self.removed.first.len() < NAMED {
                self.removed.first.push(folder.path_of(name).display().to_string());
            }
        }
        is_gone
    }
}

#[cfg(test)]
mod tests;
