//! Reading a file that has settled.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use sha2::{Digest, Sha256};

use super::{
    fingerprint::{Content, Stamp},
    snapshot::Key,
    whole,
};

/// The size limit of libraries in bytes, which is the loader's default limit.
const LIBRARY_CAP: u64 = 256 << 20;

/// The size limit of other files in bytes.
const FILE_CAP: u64 = 16 << 20;

/// Reads the content of a file that a scan has shown with this stamp.
///
/// Returns `None` if the file has changed since, so that it has to settle again.
pub(super) fn read(key: &Key, seen: &Stamp) -> Option<Content> {
    if let Some(other) = seen.other_than_file() {
        return Some(Content::NotAFile(other));
    }
    let (path, cap, follow) = match key {
        Key::Library(path) => (path, LIBRARY_CAP, libc::O_NOFOLLOW),
        Key::Sidecar(path) | Key::Signature(path) | Key::File(path) => (path, FILE_CAP, 0),
    };
    if seen.size() > cap {
        return Some(Content::TooLarge { size: seen.size() });
    }
    match read_unchanged(path, follow, seen, matches!(key, Key::Library(_))) {
        Ok(content) => content,
        Err(error) if is_passing(&error) => {
            tracing::debug!(%error, path = %path.display(), "not read now; tried again");
            None
        }
        Err(error) => Some(Content::Unreadable(error.to_string())),
    }
}

fn read_unchanged(
    path: &Path,
    follow: i32,
    seen: &Stamp,
    is_library: bool,
) -> io::Result<Option<Content>> {
    // Without `O_NONBLOCK`, opening a pipe that has taken the file's place would block for ever.
    let flags = follow | libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY;
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let is_as_seen = |file: &File| Ok::<_, io::Error>(Stamp::of(&file.metadata()?) == *seen);
    if !is_as_seen(&file)? {
        return Ok(None);
    }
    let missing = if is_library { whole::missing_part(&file, seen.size()) } else { None };
    let content = match missing {
        Some(what) => Content::Incomplete(what),
        None => {
            file.rewind()?;
            Content::Sha256(hash(&mut file, seen.size())?)
        }
    };
    // If a writer began meanwhile, the content is half old and half new.
    Ok(is_as_seen(&file)?.then_some(content))
}

fn hash(file: &mut File, size: u64) -> io::Result<String> {
    let mut hasher = Sha256::new();
    // Limited to one byte more than the size, so that a growing file is not read for ever.
    io::copy(&mut io::BufReader::with_capacity(1 << 16, file.take(size + 1)), &mut hasher)?;
    Ok(format!("{:x}", hasher.finalize()))
}

/// Returns `true` for errors that may pass in a moment.
fn is_passing(error: &io::Error) -> bool {
    let passing = [
        libc::ENOENT,
        libc::ENOTDIR,
        libc::ELOOP,
        libc::ENXIO,
        libc::ESTALE,
        libc::EINTR,
        libc::EMFILE,
        libc::ENFILE,
        libc::ENOMEM,
        libc::EBUSY,
        libc::ETXTBSY,
    ];
    error.raw_os_error().is_some_and(|code| passing.contains(&code))
}
