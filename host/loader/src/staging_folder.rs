//! The folder for private copies, which each host process has and removes when it ends.
//!
//! The folder itself is locked for as long as its host lives. A folder without a lock was left
//! behind by a host that was killed, and the next host removes it. The lock also keeps
//! systemd-tmpfiles from removing copies that are weeks old.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use hotbay_access::CheckedFolder;
use rustix::{
    fs::{OFlags, StatVfsMountFlags, fstatvfs},
    process::geteuid,
};
use tempfile::TempDir;

const PREFIX: &str = "hotbay-staging-";

/// The number of attempts to create a folder. An attempt fails if another host takes the folder for
/// one that was left behind.
const ATTEMPTS: usize = 10;

/// A private folder. Dropping the value removes the folder with all of its content.
#[derive(Debug)]
pub(super) struct StagingFolder {
    // Dropped first, so that the folder is still locked while it is removed.
    folder: TempDir,
    _lock: File,
}

impl StagingFolder {
    /// Creates a folder in `parent`, and removes the folders that killed hosts left there.
    pub(super) fn new(parent: &Path) -> io::Result<Self> {
        let refuse = |problem: &dyn std::fmt::Display, remedy: &str| {
            io::Error::other(format!("{}: {problem}; {remedy}", parent.display()))
        };
        // A user who can replace the folder can replace the libraries in it.
        CheckedFolder::of(&parent.join(PREFIX)).map_err(|refusal| {
            refuse(&refusal, "name a folder in TMPDIR that only you and root can write")
        })?;
        remove_left_behind(parent);
        for _ in 0..ATTEMPTS {
            let folder = tempfile::Builder::new()
                .prefix(PREFIX)
                .permissions(Permissions::from_mode(0o700))
                .tempdir_in(parent)
                .map_err(|error| refuse(&error, "name another folder in TMPDIR"))?;
            // Until it is locked, another host takes the folder for one that was left behind.
            let Some(lock) = lock(folder.path()) else { continue };
            if fstatvfs(&lock)?.f_flag.contains(StatVfsMountFlags::NOEXEC) {
                let problem = "no library can be loaded from here, it is mounted `noexec`";
                return Err(refuse(&problem, "name a folder elsewhere in TMPDIR"));
            }
            return Ok(Self { folder, _lock: lock });
        }
        Err(refuse(&"other hosts remove what is made here", "see which programs run"))
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn remove_left_behind(parent: &Path) {
    // A folder that cannot be listed has no entries that could be removed.
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_one = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let Some(_lock) = is_one.then(|| lock(&path)).flatten() else { continue };
        let folder = path.display();
        match fs::remove_dir_all(&path) {
            Ok(()) => tracing::info!(%folder, "removed what a killed host left"),
            Err(error) => {
                tracing::warn!(%error, %folder, "can't remove the private copies of a killed host");
            }
        }
    }
}

/// Locks a folder of this user. Returns `None` if another process has the lock, or if the folder
/// was removed in the meantime.
fn lock(path: &Path) -> Option<File> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = flags.bits().cast_signed();
    let folder = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let open = folder.metadata().ok()?;
    if open.uid() != geteuid().as_raw() || folder.try_lock().is_err() {
        return None;
    }
    // The previous owner of the lock may have removed the folder, and another folder may have its
    // name by now.
    let named = fs::symlink_metadata(path).ok()?;
    ((named.dev(), named.ino()) == (open.dev(), open.ino())).then_some(folder)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_a_killed_host_left_is_removed_and_what_another_one_uses_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let living = StagingFolder::new(parent.path()).unwrap();
        let at = |name: &str| parent.path().join(name);
        for left in ["hotbay-staging-left", "somebody-elses"] {
            fs::create_dir(at(left)).unwrap();
            fs::write(at(left).join("0123456789abcdef-1.so"), "a copy").unwrap();
        }
        fs::write(at("hotbay-staging-file"), "no folder").unwrap();
        symlink(at("somebody-elses"), at("hotbay-staging-link")).unwrap();
        let next = StagingFolder::new(parent.path()).unwrap();
        assert!(living.path().exists() && next.path().exists());
        assert!(!at("hotbay-staging-left").exists());
        assert!(at("somebody-elses/0123456789abcdef-1.so").exists());
        assert!(at("hotbay-staging-file").exists());
    }

    #[test]
    fn hosts_that_start_at_the_same_time_leave_each_other_alone() {
        let parent = tempfile::tempdir().unwrap();
        let start = || {
            for _ in 0..100 {
                let home = StagingFolder::new(parent.path()).unwrap();
                fs::write(home.path().join("copy"), "a copy").unwrap();
                assert_eq!(fs::read(home.path().join("copy")).unwrap(), b"a copy");
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(start);
            }
        });
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused_with_what_to_do() {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), Permissions::from_mode(0o777)).unwrap();
        let error = StagingFolder::new(parent.path()).unwrap_err().to_string();
        assert!(error.contains("can be written by others") && error.contains("TMPDIR"), "{error}");
    }
}
