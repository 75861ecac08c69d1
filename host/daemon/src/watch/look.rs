//! One look at the folder and the files: names and metadata, nothing is opened.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    fingerprint::Stamp,
    snapshot::{FolderState, Key},
};

/// What was seen at one moment.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) taken: SystemTime,
    pub(super) folder: FolderState,
    pub(super) found: BTreeMap<Key, Stamp>,
    /// What may be there or not: the system did not say.
    pub(super) unsure: BTreeSet<Key>,
    pub(super) files: BTreeSet<PathBuf>,
}

/// What is known about one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Is(Stamp),
    Absent,
    Unsure,
}

impl Look {
    pub(super) fn at(&self, key: &Key) -> Seen {
        if let Some(stamp) = self.found.get(key) {
            return Seen::Is(*stamp);
        }
        // One failed read, for want of a descriptor maybe, must not retire every plugin.
        let hidden = key.is_in_folder() && matches!(self.folder, FolderState::Unreadable(_));
        if hidden || self.unsure.contains(key) { Seen::Unsure } else { Seen::Absent }
    }

    fn see(&mut self, key: Key) {
        let metadata = match &key {
            // A library that is a link is shown as one, which no loader accepts.
            Key::Library(path) => fs::symlink_metadata(path),
            Key::Sidecar(path) | Key::Signature(path) | Key::File(path) => fs::metadata(path),
        };
        match metadata {
            Ok(metadata) => drop(self.found.insert(key, Stamp::of(&metadata))),
            Err(error) if is_absence(&error) => {}
            Err(_) => drop(self.unsure.insert(key)),
        }
    }
}

pub(super) fn look(folder: &Path, files: &[PathBuf]) -> Look {
    let mut look = Look {
        taken: SystemTime::now(),
        folder: FolderState::Present,
        found: BTreeMap::new(),
        unsure: BTreeSet::new(),
        files: files.iter().cloned().collect(),
    };
    files.iter().for_each(|file| look.see(Key::File(file.clone())));
    match entries(folder) {
        Ok(entries) => entries.into_iter().for_each(|key| look.see(key)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => look.folder = FolderState::Missing,
        Err(error) => look.folder = FolderState::Unreadable(error.to_string()),
    }
    look
}

fn entries(folder: &Path) -> io::Result<Vec<Key>> {
    let mut keys = Vec::new();
    for entry in folder.read_dir()? {
        keys.extend(Key::of_entry(&entry?.path()));
    }
    Ok(keys)
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
