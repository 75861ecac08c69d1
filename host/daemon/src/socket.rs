//! The socket in the state folder at which a running host answers.
//!
//! A client sends one line of JSON and reads the answer to the end of the stream.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::unix::net::UnixStream as BlockingStream,
    path::{Path, PathBuf},
    time::Duration,
};

use hotbay_access::{AccessError, CheckedFolder, Missing};
use hotbay_tasks::{ControlError, TaskAnswer, TaskRequest};
use rustix::{
    fs::{AtFlags, Mode, chmodat},
    process::geteuid,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    time::timeout,
};

use crate::{HostHandle, Status};

/// The name of the socket.
pub(crate) const SOCKET: &str = "hotbay.sock";

/// The size of the largest request that is read, which may hold the arguments of a run.
const MAX_REQUEST: u64 = 1 << 20;

/// The size of the largest answer that is read.
const MAX_ANSWER: u64 = 64 << 20;

/// The time for which either side of the socket waits for the other.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(5);

/// The time that a copy of the store may take.
const BACKUP_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// Binds the socket of a host that has the lock of its folder.
///
/// # Errors
/// If the system refuses.
pub(crate) fn bind(path: &Path, folder: &CheckedFolder) -> io::Result<UnixListener> {
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

/// What is asked of a host: one line of JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    /// The status.
    Status,
    /// Something about its tasks.
    Tasks(TaskRequest),
}

/// Accepts requests.
pub(crate) async fn serve(listener: UnixListener, host: HostHandle) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(answer(stream, host.clone()))),
            Err(error) => {
                tracing::warn!(%error, "a request was not accepted");
                // Most likely there is no free descriptor, so wait before the next attempt.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Answers one request.
async fn answer(mut stream: UnixStream, host: HostHandle) {
    let mut line = Vec::new();
    let mut reader = BufReader::new(&mut stream).take(MAX_REQUEST);
    let read = timeout(SOCKET_TIMEOUT, reader.read_until(b'\n', &mut line)).await;
    if !matches!(read, Ok(Ok(_))) {
        tracing::debug!("a client sent no request");
        return;
    }
    let text = match serde_json::from_slice(&line) {
        Ok(Request::Status) => status(&host).await,
        Ok(Request::Tasks(request)) => serde_json::to_vec(&host.tasks(request).await).ok(),
        Err(error) => {
            tracing::debug!(%error, "a request is not understood");
            None
        }
    };
    let Some(text) = text else { return };
    match timeout(SOCKET_TIMEOUT, stream.write_all(&text)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::debug!(%error, "the client closed the connection before it got the answer");
        }
        Err(_) => tracing::debug!("the client did not read the answer in time"),
    }
}

async fn status(host: &HostHandle) -> Option<Vec<u8>> {
    let last = host.watch_status().borrow().clone();
    let status = match timeout(SOCKET_TIMEOUT, host.status()).await {
        Ok(Ok(status)) => Some(status),
        // The host is stopping and its loop has ended: the last status is served.
        Ok(Err(_)) | Err(_) => last,
    };
    status.and_then(|status| serde_json::to_vec(&*status).ok())
}

/// Requests the status of the host that runs with this state folder.
///
/// Returns `None` if no host runs with it.
///
/// # Errors
/// If the folder cannot be read, if another user could answer in the place of the host, or if the
/// host does not answer within ten seconds. Root may ask the hosts of all users.
pub fn read_status(state_folder: &Path) -> io::Result<Option<Status>> {
    ask(state_folder, &Request::Status)
}

/// Asks the host that runs with this state folder something about its tasks.
///
/// Returns `None` if no host runs with it.
///
/// # Errors
/// As those of [`read_status`]. The inner one is the host's refusal.
pub fn ask_tasks(
    state_folder: &Path,
    request: TaskRequest,
) -> io::Result<Option<Result<TaskAnswer, ControlError>>> {
    ask(state_folder, &Request::Tasks(request))
}

fn ask<A: DeserializeOwned>(state_folder: &Path, request: &Request) -> io::Result<Option<A>> {
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
    let mut stream = match BlockingStream::connect(address) {
        Ok(stream) => stream,
        Err(error) => {
            let absent = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
            return if absent.contains(&error.kind()) { Ok(None) } else { Err(error) };
        }
    };
    let limit = match request {
        Request::Tasks(TaskRequest::Backup { .. }) => BACKUP_TIMEOUT,
        Request::Status | Request::Tasks(_) => SOCKET_TIMEOUT * 2,
    };
    stream.set_read_timeout(Some(limit))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    let mut text = Vec::new();
    match stream.write_all(&line) {
        // A host that ends closes the connection without an answer.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(None),
        written => written?,
    }
    match stream.take(MAX_ANSWER).read_to_end(&mut text) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
        read => drop(read?),
    }
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&text)?))
}
