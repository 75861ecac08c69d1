//! Snapshots of the plugins folder.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use hotbay_loader::is_library;

use super::fingerprint::Fingerprint;

/// The settled content of the plugins folder and of the other watched files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The state of the folder itself.
    pub folder: FolderState,
    /// The libraries (`*.so`), by path. Empty while the folder is missing.
    pub libraries: BTreeMap<PathBuf, Fingerprint>,
    /// The settings files (`*.yaml`, `*.yml`) in the folder, by path.
    pub sidecars: BTreeMap<PathBuf, Fingerprint>,
    /// The signatures (`*.so.minisig`), by path.
    pub signatures: BTreeMap<PathBuf, Fingerprint>,
    /// The files of [`WatchConfig::files`](super::WatchConfig::files), by the paths given there. `None`
    /// if the file does not exist.
    pub files: BTreeMap<PathBuf, Option<Fingerprint>>,
}

impl Snapshot {
    pub(super) fn at(&self, key: &Key) -> Option<&Fingerprint> {
        match key {
            Key::Library(path) => self.libraries.get(path),
            Key::Sidecar(path) => self.sidecars.get(path),
            Key::Signature(path) => self.signatures.get(path),
            Key::File(path) => self.files.get(path)?.as_ref(),
        }
    }

    pub(super) fn put(&mut self, key: &Key, fingerprint: Option<Fingerprint>) {
        let (among, path) = match key {
            Key::Library(path) => (&mut self.libraries, path),
            Key::Sidecar(path) => (&mut self.sidecars, path),
            Key::Signature(path) => (&mut self.signatures, path),
            Key::File(path) => {
                self.files.insert(path.clone(), fingerprint);
                return;
            }
        };
        among.extend(fingerprint.map(|it| (path.clone(), it)));
    }
}

/// The state of the plugins folder itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderState {
    /// The folder exists and can be read.
    Present,
    /// The folder does not exist, and neither do its files. That may be only for a moment: a deployment
    /// that exchanges folders, a disk that is not mounted.
    Missing,
    /// The folder can't be read. Its previous content is assumed to be unchanged.
    Unreadable(String),
}

/// One file that is watched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Library(PathBuf),
    Sidecar(PathBuf),
    Signature(PathBuf),
    File(PathBuf),
}

impl Key {
    /// Returns the key of a file in the plugins folder, or `None` if the file is ignored.
    pub(super) fn of_entry(path: &Path) -> Option<Self> {
        // As for libraries: a hidden name, or one that is not valid Unicode, does not count.
        let name = path.file_name()?.to_str()?;
        if name.starts_with('.') {
            return None;
        }
        let is_library = is_library(path);
        let path = path.to_owned();
        if name.ends_with(".so.minisig") {
            Some(Self::Signature(path))
        } else if is_library {
            Some(Self::Library(path))
        } else if name.ends_with(".yaml") || name.ends_with(".yml") {
            Some(Self::Sidecar(path))
        } else {
            None
        }
    }

    pub(super) fn is_in_folder(&self) -> bool {
        !matches!(self, Self::File(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_and_foreign_files_are_none_of_our_business() {
        let of = |name: &str| Key::of_entry(&Path::new("/plugins").join(name));
        assert!(matches!(of("libx.so"), Some(Key::Library(_))));
        assert!(matches!(of("libx.yaml"), Some(Key::Sidecar(_))));
        assert!(matches!(of("libx.yml"), Some(Key::Sidecar(_))));
        assert!(matches!(of("libx.so.minisig"), Some(Key::Signature(_))));
        let others = [
            ".libx.so.AbCdEf",
            ".libx.so",
            "libx.so~",
            "libx.so.part",
            "libx.yaml~",
            ".libx.yaml.swp",
            "#libx.yaml#",
            ".#libx.yaml",
            "4913",
            "libx.d",
            "README",
        ];
        for name in others {
            assert_eq!(of(name), None, "{name}");
        }
    }
}
