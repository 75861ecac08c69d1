//! From what the plugins folder holds to what is to be done.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::Source;
use crate::{
    live::Live,
    plugins::{beside, doubt},
    watch::{Fingerprint, FolderState, Snapshot},
};
use hotbay_config::Diagnostics;
use hotbay_loader::{LoadError, Refusal, RefusalCode};
use hotbay_store::quarantine::Quarantine;

/// How long a file that the watch has never shown may be gone before it counts as gone.
const UNSEEN: Duration = Duration::from_secs(1);

/// What the folder held when it was looked at last.
pub(super) struct Seen {
    last: Option<Snapshot>,
    /// The files that were loaded when the host started, with their content.
    at_start: BTreeMap<PathBuf, String>,
    /// Since when files are gone that the watch has never shown.
    unseen: Option<Instant>,
}

impl Seen {
    /// What was loaded when the host started is no news.
    pub(super) fn of(live: &Live) -> Self {
        let loaded = live.plugins.berths();
        let at_start = loaded.map(|berth| (berth.path().to_owned(), berth.build().hash)).collect();
        Self { last: None, at_start, unseen: None }
    }

    /// Does what the difference asks for: what comes before what goes, so that a file that
    /// was renamed is the same plugin still.
    pub(super) async fn follow(&mut self, live: &mut Live, now: Snapshot, source: Option<&Source>) {
        let last = self.last.take();
        let rewritten = source.is_some_and(|source| differs(&source.file, last.as_ref(), &now));
        let configured = rewritten && reread(live, source).await;
        let absent = match &now.folder {
            FolderState::Present => None,
            FolderState::Missing => Some("it is missing"),
            // If it can't be read from the beginning, nothing of what it holds is known.
            FolderState::Unreadable(why) => Some(why.as_str()),
        };
        if let Some(why) = absent {
            tracing::warn!(
                folder = %live.config.plugins.folder.display(), why,
                "the plugins folder can't be looked at; what is loaded goes on"
            );
            // What it held is compared with what it will hold when it is there again.
            self.last = Some(match last {
                Some(last) => Snapshot { files: now.files, ..last },
                None => now,
            });
            return;
        }
        let mut changed = self.changed(last.as_ref(), &now);
        let quarantine = Quarantine::open(&live.config.state_folder).file();
        if differs(&quarantine, last.as_ref(), &now) {
            let held = live
                .refused
                .iter()
                .filter(|(_, refused)| refused.code == RefusalCode::Quarantined.as_str());
            changed.extend(held.map(|(path, _)| path.clone()));
        }
        let said = |of: &Snapshot, file| of.files.get(file).cloned().flatten();
        let said_before = |file| last.as_ref().and_then(|last| said(last, file));
        if trust_files(live).iter().any(|file| said(&now, file) != said_before(file)) {
            live.renew_trust();
        }
        let trusted = live.plugins.take_trust_change();
        let set = last.as_ref().is_some_and(|last| last.sidecars != now.sidecars);
        if configured || trusted || set {
            changed.extend(worth_another_try(live));
        }
        changed.sort();
        changed.dedup();
        for path in changed {
            take_file(live, &now, &path).await;
        }
        let seen = |path: &Path| last.as_ref().is_some_and(|it| it.libraries.contains_key(path));
        depart(live, &now, seen).await;
        for name in sidecars(live, last.as_ref(), &now) {
            note(live.reconfigure_plugin(&name).await, &format!("the settings of plugin {name}"));
        }
        live.refused.retain(|path, _| now.libraries.contains_key(path));
        self.last = Some(now);
    }

    /// Tries again what another configuration may have made possible.
    pub(super) async fn try_again(&mut self, live: &mut Live) {
        let Some(last) = &self.last else { return };
        for path in worth_another_try(live) {
            take_file(live, last, &path).await;
        }
    }

    /// Retires what went before the watch had seen it for long enough to miss it, once a
    /// file that was only renamed would have settled under its new name.
    pub(super) async fn look_again(&mut self, live: &mut Live) {
        let Some(last) = self.last.as_ref().filter(|it| it.folder == FolderState::Present) else {
            return;
        };
        let gone = live.plugins.berths().any(|berth| is_gone(last, berth.path()));
        let since = gone.then(|| *self.unseen.get_or_insert_with(Instant::now));
        let patience = live.config.reload.settle * 2 + UNSEEN;
        if since.is_some_and(|since| since.elapsed() < patience) {
            return;
        }
        self.unseen = None;
        if gone {
            depart(live, last, |_| true).await;
        }
    }

    /// Files that are new or hold something else than before.
    fn changed(&self, last: Option<&Snapshot>, now: &Snapshot) -> Vec<PathBuf> {
        let mut changed = Vec::new();
        for (path, fingerprint) in &now.libraries {
            let same = match last.and_then(|last| last.libraries.get(path)) {
                // A signature that came or went may be why a file was refused.
                Some(before) => {
                    before == fingerprint && signature(last, path) == signature(Some(now), path)
                }
                None => {
                    self.at_start.get(path).map(String::as_str) == fingerprint.sha256()
                        && last.is_none()
                }
            };
            if !same {
                changed.push(path.clone());
            }
        }
        changed
    }
}

/// Files that were refused for a reason that lies outside of them.
fn worth_another_try(live: &Live) -> Vec<PathBuf> {
    let again = live.refused.iter().filter(|(_, it)| it.depends_on_configuration());
    again.map(|(path, _)| path.clone()).collect()
}

/// Whether a file beside the folder holds something else than before.
fn differs(file: &Path, last: Option<&Snapshot>, now: &Snapshot) -> bool {
    let content = |of: &Snapshot| of.files.get(file).cloned().flatten();
    match (last.map(content), content(now)) {
        (Some(Some(before)), Some(now)) => !before.same_content(&now),
        // It may have changed after it was read and before it was watched.
        (None | Some(None), Some(_)) => true,
        // A file that is gone for a moment is not a configuration.
        (_, None) => false,
    }
}

/// The files that say whom the host trusts, besides the configuration itself.
pub(super) fn trust_files(live: &Live) -> Vec<PathBuf> {
    live.config.plugins.trust.files().map(Path::to_owned).collect()
}

fn signature(of: Option<&Snapshot>, library: &Path) -> Option<Fingerprint> {
    let mut name = library.as_os_str().to_owned();
    name.push(".minisig");
    of?.signatures.get(Path::new(&name)).cloned()
}

/// Deals with one file that is new or changed.
async fn take_file(live: &mut Live, now: &Snapshot, path: &Path) {
    let owner = live.plugins.berths().find(|berth| berth.path() == path);
    let owner = owner.map(|berth| (berth.generation.name().to_owned(), berth.build().hash));
    let content = now.libraries.get(path).and_then(Fingerprint::sha256);
    if let Some((_, hash)) = &owner
        && content == Some(hash.as_str())
    {
        // The same bytes as those that run: written again, or put back.
        live.refused.remove(path);
        return;
    }
    match live.plugins.inspect(path).await {
        Err(error) => {
            let owner = owner.map(|(name, _)| name);
            if let Some(name) = &owner {
                live.refuse_replacement(name, &error);
            }
            live.refuse_file(&error, owner);
        }
        Ok(library) => {
            if let Some(doubt) = doubt(&library) {
                tracing::warn!("{doubt}");
            }
            let name = library.manifest.name.clone();
            let from = live.plugins.berth(&name).map(|it| (it.path().to_owned(), it.build().hash));
            match from {
                None => live.arrive(library).await,
                Some((from, _)) if from == path => live.replace(library).await,
                Some((from, _)) if !is_gone(now, &from) => {
                    let refusal = Refusal::Duplicate { name: name.clone(), from };
                    let error = LoadError { path: path.to_owned(), refusal };
                    live.refuse_file(&error, Some(name));
                }
                // The file was given another name.
                Some((_, hash)) if hash == library.hash() => live.move_plugin(&name, path),
                Some(_) => {
                    live.move_plugin(&name, path);
                    live.replace(library).await;
                }
            }
        }
    }
}

/// Retires plugins whose files are gone, unless another file was waiting to take over.
async fn depart(live: &mut Live, now: &Snapshot, which: impl Fn(&Path) -> bool) {
    let gone = |path: &Path| is_gone(now, path);
    let names = live.plugins.berths().filter(|it| gone(it.path()) && which(it.path()));
    let names: Vec<_> = names.map(|berth| berth.generation.name().to_owned()).collect();
    for name in names {
        let waiting = live.refused.iter().find(|(path, refused)| {
            refused.code == RefusalCode::Duplicate.as_str()
                && refused.plugin.as_ref() == Some(&name)
                && !gone(path)
        });
        match waiting.map(|(path, _)| path.clone()) {
            Some(path) => {
                live.refused.remove(&path);
                take_file(live, now, &path).await;
            }
            None => live.retire(&name).await,
        }
    }
}

/// Whether there is no such file any more. One that is missing in the snapshot may just
/// not have settled yet.
fn is_gone(now: &Snapshot, path: &Path) -> bool {
    let missing = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
    !now.libraries.contains_key(path) && fs::symlink_metadata(path).is_err_and(missing)
}

/// The plugins whose settings beside their libraries changed.
fn sidecars(live: &Live, last: Option<&Snapshot>, now: &Snapshot) -> Vec<String> {
    let changed = |path: &PathBuf| {
        // It may have changed after it was read and before it was watched.
        let Some(last) = last else { return true };
        let of =
            |snapshot: &Snapshot| snapshot.sidecars.get(path).map(|file| file.content().clone());
        of(last) != of(now)
    };
    let berths = live.plugins.berths();
    let changed = berths.filter(|it| beside(it.path(), it.generation.name()).iter().any(changed));
    changed.map(|berth| berth.generation.name().to_owned()).collect()
}

/// Reads the host's configuration again and takes it over.
///
/// Whether it did.
pub(super) async fn reread(live: &mut Live, source: Option<&Source>) -> bool {
    let Some(source) = source else { return false };
    let result = match (source.read)() {
        Ok(config) => live.reconfigure(config).await,
        Err(found) => Err(found),
    };
    live.configuration_refused = result.as_ref().err().map(ToString::to_string);
    let taken_over = result.is_ok();
    note(result, "the configuration");
    taken_over
}

fn note(result: Result<usize, Diagnostics>, what: &str) {
    match result {
        Ok(0) => tracing::debug!("{what}: read again, nothing to do"),
        Ok(count) => tracing::info!(count, "{what}: taken over"),
        Err(found) => tracing::error!("{what}: refused, the one before goes on:\n{found}"),
    }
}
