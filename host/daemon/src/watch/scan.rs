//! Scans the folder and the files for their names and metadata. No file is opened.

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

/// The result of one scan.
#[derive(Debug, Clone)]
pub(super) struct Scan {
    pub(super) started: SystemTime,
    pub(super) folder: FolderState,
    pub(super) found: BTreeMap<Key, Stamp>,
    /// The files that may exist or not, because the system gave an error.
    pub(super) unsure: BTreeSet<Key>,
    pub(super) files: BTreeSet<PathBuf>,
}

/// The result of a scan for one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Is(Stamp),
    Absent,
    Unsure,
}

impl Scan {
    /// Returns the result for one file.
    pub(super) fn at(&self, key: &Key) -> Seen {
        if let Some(stamp) = self.found.get(key) {
            return Seen::Is(*stamp);
        }
        // One failed read, perhaps for want of a descriptor, must not retire every plugin.
        let hidden = key.is_in_folder() && matches!(self.folder, FolderState::Unreadable(_));
        if hidden || self.unsure.contains(key) { Seen::Unsure } else { Seen::Absent }
    }

    fn see(&mut self, key: Key) {
        let metadata = match &key {
            // A library that is a link is reported as a link, which the loader refuses.
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

/// Scans the folder and the files.
pub(super) fn scan(folder: &Path, files: &[PathBuf]) -> Scan {
    let mut scan = Scan {
        started: SystemTime::now(),
        folder: FolderState::Present,
        found: BTreeMap::new(),
        unsure: BTreeSet::new(),
        files: files.iter().cloned().collect(),
    };
    files.iter().for_each(|file| scan.see(Key::File(file.clone())));
    match entries(folder) {
        Ok(entries) => entries.into_iter().for_each(|key| scan.see(key)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => scan.folder = FolderState::Missing,
        Err(error) => scan.folder = FolderState::Unreadable(error.to_string()),
    }
    scan
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
