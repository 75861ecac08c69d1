//! Notices changes of the files in the plugins folder, examines the files, and refuses them.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use hotbay_loader::{Inspected, LoadError, Refusal};
use hotbay_store::quarantine::Quarantine;

use super::{Actor, ActorEvent};
use crate::{
    plugins::{abort_warning, trust_warning},
    reconcile::FileVersion,
    refused::{RefusedFile, RolloutStep, StepFailure, retry_of},
    watch::{Fingerprint, FolderState, Snapshot},
};

/// The time after which a missing file that no snapshot has shown counts as gone.
const UNSEEN_LIMIT: Duration = Duration::from_secs(1);

/// The report of the examination of a file.
pub(crate) struct Examined {
    file: PathBuf,
    result: Result<Inspected, LoadError>,
    /// How long the examination took, with the wait for its turn.
    took: Duration,
}

impl Actor {
    /// Handles a new snapshot of the plugins folder and of the files beside it.
    pub(super) fn take_snapshot(&mut self, now: Snapshot) {
        let last = self.snapshot.take();
        let source = self.source.as_ref().map(|source| source.file.clone());
        if source.is_some_and(|file| differs(&file, last.as_ref(), &now)) {
            self.read_configuration();
        }
        let quarantine = Quarantine::open(&self.config.state_folder).file();
        if differs(&quarantine, last.as_ref(), &now) {
            self.desired.quarantine += 1;
        }
        let said = |of: &Snapshot, file| of.files.get(file).cloned().flatten();
        let said_before = |file| last.as_ref().and_then(|last| said(last, file));
        if self.trust_files().iter().any(|file| said(&now, file) != said_before(file)) {
            self.read_trust();
        }
        let absent = match &now.folder {
            FolderState::Present => None,
            FolderState::Missing => Some("it is missing"),
            // The watch shows what the folder held before. If it was never readable, that is nothing.
            FolderState::Unreadable(why) => Some(why.as_str()),
        };
        if let Some(why) = absent {
            tracing::warn!(
                folder = %self.config.plugins.folder.display(), why,
                "the plugins folder can't be looked at; what is loaded goes on"
            );
            self.desired.files = None;
            self.desired.gone.clear();
            // Kept, to be compared with the folder when that can be read again.
            self.snapshot = Some(match last {
                Some(last) => Snapshot { files: now.files, ..last },
                None => now,
            });
            return;
        }
        if last.as_ref().is_some_and(|last| last.sidecars != now.sidecars) {
            self.desired.circumstances += 1;
        }
        let content = |(path, it): (&PathBuf, &Fingerprint)| {
            (path.clone(), it.sha256().map_or_else(|| format!("{:?}", it.content()), str::to_owned))
        };
        self.desired.settings = now.sidecars.iter().map(content).collect();
        let files = versions(&now);
        // A file that was refused at the start may be gone before it was ever observed.
        self.refused.retain(|it, _| files.contains_key(it) || self.observed.files.contains_key(it));
        self.desired.files = Some(files);
        self.shown.extend(now.libraries.keys().cloned());
        self.snapshot = Some(now);
        self.look_for_gone();
    }

    /// Finds the files of plugins in service that do not exist any more.
    ///
    /// A file that a snapshot has shown is gone when the next snapshot lacks it. A file that no
    /// snapshot has shown counts as gone only after the time in which a file that was renamed would
    /// have settled under its new name.
    pub(super) fn look_for_gone(&mut self) {
        // Settings may be read, refused and removed before a snapshot has shown them.
        self.refused_settings.retain(|_, refused| !is_missing(&refused.file));
        let Some(files) = &self.desired.files else { return };
        let limit = self.config.reload.settle.saturating_mul(2).saturating_add(UNSEEN_LIMIT);
        let mut gone = std::collections::BTreeSet::new();
        let mut unseen = BTreeMap::new();
        for plugin in self.plugins.values().filter(|it| !files.contains_key(&it.file)) {
            let file = &plugin.file;
            if !is_missing(file) {
                continue;
            }
            let since = self.unseen.get(file).copied().unwrap_or_else(Instant::now);
            if self.shown.contains(file) || since.elapsed() >= limit {
                gone.insert(file.clone());
            } else {
                unseen.insert(file.clone(), since);
            }
        }
        self.desired.gone = gone;
        self.unseen = unseen;
    }

    pub(super) fn examine(&mut self, file: PathBuf) {
        self.examined.remove(&file);
        let (loader, trust) = (self.loader.clone(), self.trust.clone());
        self.spawn(async move {
            let began = Instant::now();
            let result = loader.inspect(&file, &trust).await;
            let took = began.elapsed();
            ActorEvent::Examined(Box::new(Examined { file, result, took }))
        });
    }

    pub(super) fn on_examined(&mut self, Examined { file, result, took }: Examined) {
        let version = self.desired.files.as_ref().and_then(|files| files.get(&file));
        let looked_at = self.observed.files.get(&file).map(|it| &it.observation.version);
        let is_current = version.is_some() && version == looked_at;
        match result {
            Ok(library) => {
                let warnings = trust_warning(&library).into_iter().chain(abort_warning(&library));
                warnings.filter(|_| is_current).for_each(|warning| tracing::warn!("{warning}"));
                let found = (library.manifest.name.clone(), library.hash().to_owned());
                self.observed.examined(&file, Ok(found));
                self.examined.insert(file, library);
            }
            Err(error) => {
                self.observed.examined(&file, Err(retry_of(&error.refusal, took)));
                // Otherwise the file has changed since, and is examined again.
                if is_current {
                    self.refuse_examined(&file, (&error, took));
                }
            }
        }
    }

    fn refuse_examined(&mut self, file: &Path, (error, took): (&LoadError, Duration)) {
        if self.is_known(file, &RefusedFile::from(error)) {
            tracing::debug!("still refused: {error}");
            return;
        }
        let owner = self.plugins.values().find(|it| it.file == file);
        if let Some(plugin) = owner.map(|it| it.name().to_owned()) {
            let failure = StepFailure::refusal(RolloutStep::Inspect, error, (&error.refusal, took));
            self.refuse_replacement(&plugin, None, &failure);
        }
        self.refuse_file(error);
    }

    /// Returns `true` if the same file was refused for the same reason before.
    pub(super) fn is_known(&self, file: &Path, refused: &RefusedFile) -> bool {
        let refused = refused.clone().of_version(self.version_of(file));
        self.refused.get(file).is_some_and(|before| refused.repeats(before))
    }

    /// Returns the version of a file that was examined last.
    fn version_of(&self, file: &Path) -> Option<FileVersion> {
        self.observed.files.get(file).map(|it| it.observation.version.clone())
    }

    /// Forgets what was found in a file: it does not exist any more, or holds the build in service.
    pub(super) fn forget(&mut self, file: &Path) {
        self.examined.remove(file);
        self.refused.remove(file);
    }

    pub(super) fn refuse_duplicate(&mut self, file: PathBuf, plugin: String, of: PathBuf) {
        self.examined.remove(&file);
        let refusal = Refusal::Duplicate { name: plugin, from: of };
        self.refuse_file(&LoadError { path: file, refusal });
    }

    /// Notes that the file of a plugin in service was renamed.
    pub(super) fn move_plugin(&mut self, plugin: &str, file: &Path) {
        self.check_is_stale = true;
        self.examined.remove(file);
        self.refused.remove(file);
        if let Some(loaded) = self.plugins.get_mut(plugin) {
            tracing::info!(plugin, file = %file.display(), "the file of the plugin was renamed");
            file.clone_into(&mut loaded.file);
        }
        self.desired.gone.clear();
        self.look_for_gone();
    }

    fn refuse_file(&mut self, error: &LoadError) {
        tracing::error!("{error}");
        let refused = RefusedFile::from(error).of_version(self.version_of(&error.path));
        self.refused.insert(error.path.clone(), refused);
    }

    /// Refuses the file of a build that was on its way into service.
    pub(super) fn turn_away(&mut self, plugin: &str, file: &Path, failure: &StepFailure) {
        let refused = RefusedFile::at_step(failure).of_version(self.version_of(file));
        self.refused.insert(file.to_owned(), refused);
        self.observed.turned_away(plugin, failure.retry, &self.desired);
        let service = self.observed.plugins.get(plugin).and_then(|it| it.service.as_ref());
        if let (Some(service), Some(loaded)) = (service, self.plugins.get_mut(plugin)) {
            // It goes on under the name of the file that was refused, if its own is gone.
            service.file.clone_into(&mut loaded.file);
        }
    }

    /// Returns the files that hold trusted keys and pins.
    pub(super) fn trust_files(&self) -> Vec<PathBuf> {
        self.config.plugins.trust.files().map(Path::to_owned).collect()
    }

    /// Returns the files that are watched beside the plugins folder.
    pub(crate) fn files_beside(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = self.source.iter().map(|source| source.file.clone()).collect();
        // This file changes when a build is released from quarantine.
        files.push(Quarantine::open(&self.config.state_folder).file());
        files.extend(self.trust_files());
        files
    }
}

/// Returns `true` if the content of a file beside the folder has changed.
fn differs(file: &Path, last: Option<&Snapshot>, now: &Snapshot) -> bool {
    let content = |of: &Snapshot| of.files.get(file).cloned().flatten();
    match (last.map(content), content(now)) {
        (Some(Some(before)), Some(now)) => !before.same_content(&now),
        // The file may have changed after it was read and before it was watched.
        (None | Some(None), Some(_)) => true,
        // A file that is missing for a moment is no new configuration.
        (_, None) => false,
    }
}

/// Returns the version of each library in a snapshot.
fn versions(now: &Snapshot) -> BTreeMap<PathBuf, FileVersion> {
    let version = |(path, fingerprint): (&PathBuf, &Fingerprint)| {
        let mut signature = path.as_os_str().to_owned();
        signature.push(".minisig");
        // A missing or wrong signature may be why the file was refused, so a change counts.
        let signature = now.signatures.get(Path::new(&signature));
        let content = fingerprint.sha256().unwrap_or_default().to_owned();
        let rest = format!("{fingerprint:?} {signature:?}");
        (path.clone(), FileVersion { content, rest })
    };
    now.libraries.iter().map(version).collect()
}

/// Returns `true` if the file does not exist. A file that a snapshot lacks may only not have
/// settled yet.
fn is_missing(path: &Path) -> bool {
    let missing = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
    fs::symlink_metadata(path).is_err_and(missing)
}
