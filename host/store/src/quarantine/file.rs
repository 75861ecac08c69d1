//! The file with the list of the quarantine, which is replaced as a whole and changed under a lock.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::QuarantinedBuild;
use crate::durable;

/// The name of the list in the state folder.
pub(super) const NAME: &str = "quarantine.json";

/// The name of the lock file. The list itself cannot be the lock, because every change replaces
/// it with another file.
const LOCK: &str = "quarantine.lock";

/// The number of bytes that are read at most; more than a full list takes.
const MAX_BYTES: u64 = 16 << 20;

/// The content of the file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    held: Vec<QuarantinedBuild>,
}

/// The list while this process holds the lock, so that nobody else can change it.
#[derive(Debug)]
pub(super) struct LockedList {
    pub(super) builds: Vec<QuarantinedBuild>,
    folder: PathBuf,
    /// The operating system releases the lock when this file is closed, also after a crash.
    _lock: File,
}

impl LockedList {
    /// Locks and reads the list. Creates the folder if it does not exist.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        durable::make_folder(folder)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let lock = options.open(folder.join(LOCK))?;
        lock.lock()?;
        let builds = match parse(folder)? {
            Ok(builds) => builds,
            Err(error) => {
                move_aside(folder, &error)?;
                Vec::new()
            }
        };
        Ok(Self { builds, folder: folder.to_owned(), _lock: lock })
    }

    /// Replaces the file by this list. A concurrent reader sees the old list or the new one.
    pub(super) fn write(self) -> io::Result<()> {
        let Self { builds: held, folder, _lock } = self;
        durable::replace_json(&folder.join(NAME), &Content { held })
    }
}

/// Reads the list. A file that does not exist, or was damaged and moved aside, is an empty list.
pub(super) fn read(folder: &Path) -> io::Result<Vec<QuarantinedBuild>> {
    match parse(folder)? {
        Ok(builds) => Ok(builds),
        // The file is read again under the lock, because another process may just have repaired it.
        Err(_) => Ok(LockedList::open(folder)?.builds),
    }
}

fn parse(folder: &Path) -> io::Result<serde_json::Result<Vec<QuarantinedBuild>>> {
    let file = match File::open(folder.join(NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ok(Vec::new())),
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut text)?;
    Ok(serde_json::from_slice::<Content>(&text).map(|content| content.held))
}

fn move_aside(folder: &Path, error: &serde_json::Error) -> io::Result<()> {
    let aside = durable::set_aside(&folder.join(NAME))?;
    tracing::warn!(%error, kept = %aside.display(),
        "the quarantine is damaged and was set aside; builds that did harm may be tried again");
    Ok(())
}
