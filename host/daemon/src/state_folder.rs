//! The state folder of a running host, with its lock and the socket at which the host answers.

use std::{
    fs::{File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use hotbay_access::{AccessError, CheckedFolder, Missing};
use tokio::task::JoinHandle;

use crate::{
    HostError, HostHandle,
    socket::{self, SOCKET},
};

/// The name of the file that a host locks. It contains the host's process id.
const LOCK: &str = "lock";

/// The locked state folder of a running host. No other host can use it meanwhile.
#[derive(Debug)]
pub(crate) struct StateFolder {
    path: PathBuf,
    folder: CheckedFolder,
    serving: Option<JoinHandle<()>>,
    /// The lock, which the system releases when the process ends, whatever the reason.
    _lock: File,
}

impl StateFolder {
    /// Creates the folder if it is missing, and locks it.
    ///
    /// Returns `None`, after a warning, if the folder can't be created or locked.
    ///
    /// # Errors
    /// If another host uses the folder, or if another user could have written something in it.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, HostError> {
        let folder = match CheckedFolder::private(path, Missing::IsMade) {
            Err(refusal) if refusal.is_by_check() => return Err(unsafe_folder(path, &refusal)),
            Err(error) => return Ok(without(path, &error.into())),
            Ok(opened) => opened,
        };
        let mut lock = match folder.open_to_write(LOCK.as_ref()) {
            Err(refusal) if refusal.is_by_check() => {
                return Err(HostError::System(refusal.of_own_file(&path.join(LOCK))));
            }
            Err(error) => return Ok(without(path, &error.into())),
            Ok(opened) => opened,
        };
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(path, &folder)),
            Err(TryLockError::Error(error)) => return Ok(without(path, &error)),
        }
        match lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())) {
            Ok(()) => Ok(Some(Self { path: path.to_owned(), folder, serving: None, _lock: lock })),
            Err(error) => Ok(without(path, &error)),
        }
    }

    /// Refuses a state folder in which another user could have written something. A folder that
    /// does not exist is fine.
    ///
    /// # Errors
    /// If the folder fails a check.
    pub(crate) fn check(path: &Path) -> Result<(), HostError> {
        match CheckedFolder::private(path, Missing::IsAnError) {
            Err(refusal) if refusal.is_by_check() => Err(unsafe_folder(path, &refusal)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Answers requests at the socket until this value is dropped.
    pub(crate) fn serve(&mut self, host: HostHandle) {
        match socket::bind(&self.path, &self.folder) {
            Ok(listener) => self.serving = Some(tokio::spawn(socket::serve(listener, host))),
            Err(error) => {
                let folder = self.path.display();
                tracing::warn!(%error, %folder, "no socket: this host cannot be asked for anything");
            }
        }
    }
}

impl Drop for StateFolder {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            // A later request should fail at once, not wait for a host that has ended.
            if let Err(error) = self.folder.remove(SOCKET.as_ref())
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%error, "the socket cannot be removed");
            }
        }
    }
}

fn unsafe_folder(path: &Path, refusal: &AccessError) -> HostError {
    HostError::System(format!(
        "the state folder {} {refusal}; {}, or name another folder under `state_folder`",
        path.display(),
        refusal.remedy()
    ))
}

fn in_use(path: &Path, folder: &CheckedFolder) -> HostError {
    let holder = folder.open(LOCK.as_ref(), 64).and_then(|file| file.read_to_text());
    let holder = holder.unwrap_or_else(|_| "unknown".to_owned());
    HostError::System(format!(
        "another host (process {}) runs with the state folder {}; stop it, or name another folder \
         under `state_folder`",
        holder.trim(),
        path.display()
    ))
}

fn without(path: &Path, error: &io::Error) -> Option<StateFolder> {
    tracing::warn!(%error, folder = %path.display(),
        "no state folder: no status and no records are kept");
    None
}
