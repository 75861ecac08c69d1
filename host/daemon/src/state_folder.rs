//! The state folder of a running host, with its lock and the socket that serves the host's status.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream as BlockingStream},
    path::{Path, PathBuf},
    time::Duration,
};

use hotbay_store::durable;
use tokio::{
    io::AsyncWriteExt,
    net::{UnixListener, UnixStream},
    task::JoinHandle,
    time::timeout,
};

use crate::{HostError, HostHandle, Status};

/// The name of the socket.
const SOCKET: &str = "hotbay.sock";

/// The time for which either side of the socket waits for the other.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(5);

/// The locked state folder of a running host. No other host can use it meanwhile.
#[derive(Debug)]
pub(crate) struct StateFolder {
    path: PathBuf,
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
    /// If another host uses the folder.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, HostError> {
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
            durable::make_folder(path)?;
            OpenOptions::new().create(true).truncate(false).write(true).open(path.join("lock"))
        };
        let mut lock = open().map_err(TryLockError::Error)?;
        lock.try_lock()?;
        let note = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        note.map_err(TryLockError::Error)?;
        Ok(Self { path: path.to_owned(), serving: None, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Serves the present status at the socket until this value is dropped.
    pub(crate) fn serve(&mut self, host: HostHandle) {
        match bind(&self.path) {
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
            if let Err(error) = fs::remove_file(self.path.join(SOCKET))
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%error, "the socket cannot be removed");
            }
        }
    }
}

fn bind(folder: &Path) -> io::Result<UnixListener> {
    // This host has the lock, so an existing socket was left by a host that was killed.
    match fs::remove_file(folder.join(SOCKET)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let (address, _open) = address(folder)?;
    let listener = UnixListener::bind(address)?;
    fs::set_permissions(folder.join(SOCKET), fs::Permissions::from_mode(0o600))?;
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
/// If the folder cannot be read, or the host does not answer within five seconds.
pub fn read_status(state_folder: &Path) -> io::Result<Option<Status>> {
    let (address, _open) = match address(state_folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut stream = match BlockingStream::connect(address) {
        Ok(stream) => stream,
        Err(error) => {
            let absent = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
            return if absent.contains(&error.kind()) { Ok(None) } else { Err(error) };
        }
    };
    stream.set_read_timeout(Some(SOCKET_TIMEOUT * 2))?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&text)?))
}
