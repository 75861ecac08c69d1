//! What the watch gives.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::fingerprint::Fingerprint;

/// What is in the plugins folder, of what matters and is stable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Whether the folder can be looked at.
    pub folder: FolderState,
    /// The libraries (`*.so`), by path. Empty while the folder is missing.
    pub libraries: BTreeMap<PathBuf, Fingerprint>,
    /// The settings files (`*.yaml`) in the folder, by path.
    pub sidecars: BTreeMap<PathBuf, Fingerprint>,
    /// The signatures (`*.so.minisig`), by path.
    pub signatures: BTreeMap<PathBuf, Fingerprint>,
    /// Each of [`WatchConfig::files`](super::WatchConfig::files), as it was named there; none
    /// if it isn't there.
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

/// Whether the plugins folder can be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderState {
    /// It is there.
    Present,
    /// It is not. Its files are gone with it, which may be for a moment only: a deployment
    /// that exchanges folders, a disk that is not mounted.
    Missing,
    /// It is there and can't be read. What it held before is taken to be there still.
    Unreadable(String),
}

/// One thing that is watched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Library(PathBuf),
    Sidecar(PathBuf),
    Signature(PathBuf),
    File(PathBuf),
}

impl Key {
    /// What a file in the plugins folder is to us; none if it is none of our business.
    pub(super) fn of_entry(path: &Path) -> Option<Self> {
        // A name that is not Unicode can't end in one of these, and be one that we know.
        let name = path.file_name()?.to_str()?;
        // Hidden names are what `rsync` and editors give to files that are not done yet.
        if name.starts_with('.') {
            return None;
        }
        let path = path.to_owned();
        if name.ends_with(".so.minisig") {
            Some(Self::Signature(path))
        } else if name.ends_with(".so") {
            Some(Self::Library(path))
        } else if name.ends_with(".yaml") {
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
