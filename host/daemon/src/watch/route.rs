//! Where something can happen that changes what a path leads to.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

use super::snapshot::Key;

/// As many links as the kernel follows in one path.
const MOST_LINKS: usize = 40;

/// Folders, by paths without a link in them, and what in them matters.
///
/// One path for each folder: two watches over one folder would be one to the system, which
/// then names the files in it as it likes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Places {
    folders: BTreeMap<PathBuf, Place>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Place {
    /// Device, inode and time of birth: another one under the same name is another place.
    identity: Option<(u64, u64, Option<std::time::SystemTime>)>,
    names: BTreeSet<OsString>,
    is_plugins_folder: bool,
}

impl Places {
    /// The places for a plugins folder and some files.
    pub(super) fn of(folder: &Path, files: &[PathBuf]) -> Self {
        let mut places = Self::default();
        if let Some(folder) = places.follow(folder) {
            places.place(&folder).is_plugins_folder = true;
        }
        files.iter().for_each(|file| drop(places.follow(file)));
        places
    }

    pub(super) fn folders(&self) -> impl Iterator<Item = &Path> {
        self.folders.keys().map(PathBuf::as_path)
    }

    /// Whether the folder with this path is one of the places.
    pub(super) fn is_place(&self, path: &Path) -> bool {
        self.folders.contains_key(path)
    }

    /// Whether what happens to this path may matter.
    pub(super) fn concerns(&self, path: &Path) -> bool {
        let within = path.parent().and_then(|parent| self.folders.get(parent));
        let matters = within.zip(path.file_name()).is_some_and(|(place, name)| {
            place.names.contains(name) || place.is_plugins_folder && Key::of_entry(path).is_some()
        });
        matters || self.is_place(path)
    }

    /// Takes in the links on the way, the last folder and the name in it. Gives the path
    /// without links, if it leads to something. Of what is missing, the nearest folder that
    /// is there is taken in: what is missing will appear in it.
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
                    if links > MOST_LINKS {
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

    fn place(&mut self, folder: &Path) -> &mut Place {
        self.folders.entry(folder.to_owned()).or_insert_with(|| {
            let metadata = folder.metadata().ok();
            let identity = metadata.map(|it| (it.dev(), it.ino(), it.created().ok()));
            Place { identity, ..Place::default() }
        })
    }
}

/// The steps of a path, the last one first.
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
        let places = Places::of(&root.join("current/plugins"), &[]);
        assert!(places.concerns(&root.join("current")));
        assert!(places.concerns(&root.join("releases/1/plugins")));
        assert!(places.concerns(&root.join("releases/1/plugins/libx.so")));
        assert!(!places.concerns(&root.join("other")));
        assert!(!places.concerns(&root.join("releases/1/plugins/.libx.so.Ab12")));
    }

    #[test]
    fn what_is_missing_is_waited_for_in_the_nearest_folder_that_is_there() {
        let (_keep, root) = scene();
        let places = Places::of(&root.join("releases/2/plugins"), &[root.join("host.yaml")]);
        assert!(places.concerns(&root.join("releases/2")));
        assert!(places.concerns(&root.join("host.yaml")));
        assert_eq!(places.folders().count(), 2);
    }

    #[test]
    fn links_in_a_circle_come_to_an_end() {
        let (_keep, root) = scene();
        symlink("b", root.join("a")).unwrap();
        symlink("a", root.join("b")).unwrap();
        let places = Places::of(&root.join("a/plugins"), &[]);
        assert!(places.concerns(&root.join("a")) && places.concerns(&root.join("b")));
    }

    #[test]
    fn a_folder_made_anew_is_another_place() {
        let (_keep, root) = scene();
        let plugins = root.join("releases/1/plugins");
        let before = Places::of(&plugins, &[]);
        assert_eq!(before, Places::of(&plugins, &[]));
        fs::rename(&plugins, root.join("old")).unwrap();
        fs::create_dir(&plugins).unwrap();
        assert_ne!(before, Places::of(&plugins, &[]));
    }
}
