//! The folders in which a change may concern the watched paths, links on the way included.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

use super::snapshot::Key;

/// The number of links that the kernel follows in one path.
const MAX_LINKS: usize = 40;

/// The folders that are to be watched, by paths without links, with the names that matter in them.
///
/// Each folder has one path: the system merges two watches of one folder, and then reports the names of
/// files under either path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct WatchedFolders {
    folders: BTreeMap<PathBuf, WatchedFolder>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
/// One folder that is to be watched.
struct WatchedFolder {
    /// Device, inode and time of birth. Another folder of the same name differs in them.
    identity: Option<(u64, u64, Option<std::time::SystemTime>)>,
    names: BTreeSet<OsString>,
    is_plugins_folder: bool,
}

impl WatchedFolders {
    /// Finds the folders for a plugins folder and some files.
    pub(super) fn of(folder: &Path, files: &[PathBuf]) -> Self {
        let mut folders = Self::default();
        if let Some(folder) = folders.follow(folder) {
            folders.place(&folder).is_plugins_folder = true;
        }
        files.iter().for_each(|file| drop(folders.follow(file)));
        folders
    }

    pub(super) fn folders(&self) -> impl Iterator<Item = &Path> {
        self.folders.keys().map(PathBuf::as_path)
    }

    /// Returns `true` if the folder with this path is watched.
    pub(super) fn contains(&self, path: &Path) -> bool {
        self.folders.contains_key(path)
    }

    /// Returns `true` if a change of this path may matter.
    pub(super) fn concerns(&self, path: &Path) -> bool {
        let within = path.parent().and_then(|parent| self.folders.get(parent));
        let matters = within.zip(path.file_name()).is_some_and(|(place, name)| {
            place.names.contains(name) || place.is_plugins_folder && Key::of_entry(path).is_some()
        });
        matters || self.contains(path)
    }

    /// Adds the folders of a path: those of the links on the way, and the last one.
    ///
    /// Returns the path without links, if it exists. If a part of the path is missing, the nearest folder
    /// that exists is added, because the missing part will appear in it.
    fn follow(&mut self, path: &Path) -> Option<PathBuf> {
        let mut here = PathBuf::from("/");
        let mut ahead: Vec<_> = steps(path);
        let mut links = 0;
        while let Some(step) = ahead.pop() {
            if step == "/" {
                here = PathBuf::from("/");
                continue;
            }
            if step == ".." {
                here.pop();
                continue;
            }
            let next = here.join(&step);
            match next.read_link() {
                Ok(target) => {
                    self.name(&here, &step);
                    links += 1;
                    if links > MAX_LINKS {
                        return None;
                    }
                    ahead.extend(steps(&target));
                }
                Err(_) => {
                    let is_there = next.exists();
                    if ahead.is_empty() || !is_there {
                        self.name(&here, &step);
                    }
                    if !is_there {
                        return None;
                    }
                    here = next;
                }
            }
        }
        Some(here)
    }

    fn name(&mut self, folder: &Path, name: &OsStr) {
        self.place(folder).names.insert(name.to_owned());
    }

    fn place(&mut self, folder: &Path) -> &mut WatchedFolder {
        self.folders.entry(folder.to_owned()).or_insert_with(|| {
            let metadata = folder.metadata().ok();
            let identity = metadata.map(|it| (it.dev(), it.ino(), it.created().ok()));
            WatchedFolder { identity, ..WatchedFolder::default() }
        })
    }
}

/// Returns the components of a path, the last one first.
fn steps(path: &Path) -> Vec<OsString> {
    let steps = path.components().rev();
    let steps = steps.filter(|step| *step != Component::CurDir);
    steps.map(|step| step.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn scene() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("releases/1/plugins")).unwrap();
        symlink("releases/1", root.join("current")).unwrap();
        (folder, root)
    }

    #[test]
    fn a_link_on_the_way_is_watched_where_it_stands() {
        let (_keep, root) = scene();
        let folders = WatchedFolders::of(&root.join("current/plugins"), &[]);
        assert!(folders.concerns(&root.join("current")));
        assert!(folders.concerns(&root.join("releases/1/plugins")));
        assert!(folders.concerns(&root.join("releases/1/plugins/libx.so")));
        assert!(!folders.concerns(&root.join("other")));
        assert!(!folders.concerns(&root.join("releases/1/plugins/.libx.so.Ab12")));
    }

    #[test]
    fn what_is_missing_is_waited_for_in_the_nearest_folder_that_is_there() {
        let (_keep, root) = scene();
        let folders =
            WatchedFolders::of(&root.join("releases/2/plugins"), &[root.join("host.yaml")]);
        assert!(folders.concerns(&root.join("releases/2")));
        assert!(folders.concerns(&root.join("host.yaml")));
        assert_eq!(folders.folders().count(), 2);
    }

    #[test]
    fn links_in_a_circle_come_to_an_end() {
        let (_keep, root) = scene();
        symlink("b", root.join("a")).unwrap();
        symlink("a", root.join("b")).unwrap();
        let folders = WatchedFolders::of(&root.join("a/plugins"), &[]);
        assert!(folders.concerns(&root.join("a")) && folders.concerns(&root.join("b")));
    }

    #[test]
    fn a_folder_made_anew_is_another_place() {
        let (_keep, root) = scene();
        let plugins = root.join("releases/1/plugins");
        let before = WatchedFolders::of(&plugins, &[]);
        assert_eq!(before, WatchedFolders::of(&plugins, &[]));
        fs::rename(&plugins, root.join("old")).unwrap();
        fs::create_dir(&plugins).unwrap();
        assert_ne!(before, WatchedFolders::of(&plugins, &[]));
    }
}
