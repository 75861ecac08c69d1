//! Where a host keeps what others may read, and what has to survive it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use super::{HostError, status::Status};

/// The state folder of a running host; no other one uses it meanwhile.
#[derive(Debug)]
pub(super) struct StateFolder {
    path: PathBuf,
    /// Unlocked by the system when the process ends, however it ends.
    _lock: File,
    written: Option<Status>,
}

impl StateFolder {
    /// Makes the folder if need be, and locks it; `None`, with a warning, if it can't be made.
    ///
    /// # Errors
    /// If another host uses it.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, HostError> {
        match Self::lock(path) {
            Ok(folder) => Ok(Some(folder)),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let read = File::open(path.join("lock"))
                    .and_then(|mut file| file.read_to_string(&mut holder));
                let holder = if read.is_ok() { holder.trim() } else { "unknown" };
                Err(HostError::System(format!(
                    "another host (process {holder}) runs with the state folder {}; stop it, or \
                     name another folder under `state_folder`",
                    path.display()
                )))
            }
            Err(TryLockError::Error(error)) => {
                let folder = path.display();
                tracing::warn!(%error, %folder, "no state folder: no status and no records are kept");
                Ok(None)
            }
        }
    }

    fn lock(path: &Path) -> Result<Self, TryLockError> {
        let open = || -> io::Result<File> {
            fs::create_dir_all(path)?;
            OpenOptions::new().create(true).truncate(false).write(true).open(path.join("lock"))
        };
        let mut lock = open().map_err(TryLockError::Error)?;
        lock.try_lock()?;
        let note = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        note.map_err(TryLockError::Error)?;
        Ok(Self { path: path.to_owned(), _lock: lock, written: None })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the status, if it differs from the one before.
    pub(super) fn write(&mut self, status: Status) {
        if self.written.as_ref() == Some(&status) {
            return;
        }
        match replace(&self.path.join("status.json"), &status) {
            Ok(()) => self.written = Some(status),
            Err(error) => tracing::warn!(%error, "the status can't be written"),
        }
    }
}

impl Drop for StateFolder {
    fn drop(&mut self) {
        // Whoever looks later should not take it for the status of a host that runs.
        if let Err(error) = fs::remove_file(self.path.join("status.json"))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "the status can't be removed");
        }
    }
}

/// Whoever reads sees the old one or the new one.
fn replace(path: &Path, status: &Status) -> io::Result<()> {
    let new = path.with_extension("json.new");
    fs::write(&new, serde_json::to_vec_pretty(status)?)?;
    fs::rename(&new, path)
}

/// The status of the host that runs with this state folder, if one does.
///
/// # Errors
/// If the folder can't be read, or holds something else.
pub fn read_status(state_folder: &Path) -> io::Result<Option<Status>> {
    let lock = match File::open(state_folder.join("lock")) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match lock.try_lock_shared() {
        Ok(()) => return Ok(None),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    match fs::read(state_folder.join("status.json")) {
        Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
