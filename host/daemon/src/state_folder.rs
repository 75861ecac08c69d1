//! The state folder of a running host, with its lock and the socket that serves the host's status.

use std::{
    fs::{File, TryLockError},
    io::{self, Read, Write},
    os::unix::net::UnixStream as BlockingStream,
    path::{Path, PathBuf},
    time::Duration,
};

use hotbay_access::{AccessError, CheckedFolder, Missing};
use rustix::{
    fs::{AtFlags, Mode, chmodat},
    process::geteuid,
};
use tokio::{
    io::AsyncWriteExt,
    net::{UnixListener, UnixStream},
    task::JoinHandle,
    time::timeout,
};

use crate::{HostError, HostHandle, Status};

/// The name of the socket.
const SOCKET: &str = "hotbay.sock";

/// The name of the file that a host locks. It contains the host's process id.
const LOCK: &str = "lock";

/// The size of the largest status that is read.
const MAX_STATUS: u64 = 64 << 20;

/// The time for which either side of the socket waits for the other.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(5);

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
        let opened = CheckedFolder::private(path, Missing::IsMade);
        let locked = opened.and_then(|folder| {
            let lock = folder.open_to_write(LOCK.as_ref())?;
            Ok((folder, lock))
        });
        let (folder, mut lock) = match locked {
            Err(refusal) if refusal.is_by_check() => return Err(unsafe_folder(path, &refusal)),
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

    /// Serves the present status at the socket until this value is dropped.
    pub(crate) fn serve(&mut self, host: HostHandle) {
        match bind(&self.path, &self.folder) {
            Ok(listener) => self.serving = Some(tokio::spawn(serve(listener, host))),
            Err(error) => {
                let folder = self.path.display();
                tracing::warn!(%error, %folder, "no socket: this host cannot be asked for its status");
            }
        }
    }
}

impl Drop for StateFolder {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            // A later request for the status should fail at once, not wait for a host that has ended.
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

fn bind(path: &Path, folder: &CheckedFolder) -> io::Result<UnixListener> {
    // This host has the lock, so an existing socket was left by a host that was killed.
    match folder.remove(SOCKET.as_ref()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let (address, _open) = address(path)?;
    let listener = UnixListener::bind(address)?;
    // Relative to the folder that was checked, whatever the path leads to by now.
    chmodat(folder, SOCKET, Mode::RUSR | Mode::WUSR, AtFlags::empty())?;
    Ok(listener)
}

/// Returns a path of the socket that is short enough: an address has room for 107 bytes, a path for
/// 4,095.
///
/// A short one for a long path is valid as long as the folder is open.
fn address(folder: &Path) -> io::Result<(PathBuf, Option<File>)> {
    let path = folder.join(SOCKET);
    if path.as_os_str().len() < 108 {
        return Ok((path, None));
    }
    let folder = File::open(folder)?;
    let link = PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&folder)));
    Ok((link.join(SOCKET), Some(folder)))
}

/// Accepts requests for the status.
async fn serve(listener: UnixListener, host: HostHandle) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(answer(stream, host.clone()))),
            Err(error) => {
                tracing::warn!(%error, "a request for the status was not accepted");
                // Most likely there is no free descriptor, so wait before the next attempt.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Answers one request for the status.
async fn answer(mut stream: UnixStream, host: HostHandle) {
    let last = host.watch_status().borrow().clone();
    let status = match timeout(SOCKET_TIMEOUT, host.status()).await {
        Ok(Ok(status)) => Some(status),
        // The host is stopping and its loop has ended: the last status is served.
        Ok(Err(_)) | Err(_) => last,
    };
    let Some(Ok(text)) = status.map(|status| serde_json::to_vec(&*status)) else { return };
    match timeout(SOCKET_TIMEOUT, stream.write_all(&text)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::debug!(%error, "the client closed the connection before it got the status")
        }
        Err(_) => tracing::debug!("the client did not read the status in time"),
    }
}

/// Requests the status of the host that runs with this state folder.
///
/// Returns `None` if no host runs with it.
///
/// # Errors
/// If the folder cannot be read, if another user could answer in the place of the host, or if the
/// host does not answer within five seconds. Root may ask the hosts of all users.
pub fn read_status(state_folder: &Path) -> io::Result<Option<Status>> {
    if !geteuid().is_root() {
        match CheckedFolder::private(state_folder, Missing::IsAnError) {
            Err(AccessError::Missing) => return Ok(None),
            checked => drop(checked?),
        }
    }
    let (address, _open) = match address(state_folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let stream = match BlockingStream::connect(address) {
        Ok(stream) => stream,
        Err(error) => {
            let absent = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
            return if absent.contains(&error.kind()) { Ok(None) } else { Err(error) };
        }
    };
    stream.set_read_timeout(Some(SOCKET_TIMEOUT * 2))?;
    let mut text = Vec::new();
    stream.take(MAX_STATUS).read_to_end(&mut text)?;
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&text)?))
}
