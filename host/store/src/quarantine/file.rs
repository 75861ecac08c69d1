//! The file with the list of the quarantine, which is replaced as a whole and changed under a lock.

use std::{fs::File, io, path::Path};

use hotbay_access::{AccessError, CheckedFolder, Missing};
use serde::{Deserialize, Serialize};

use super::QuarantinedBuild;
use crate::durable::{self, Unbelievable};

/// The name of the list in the state folder.
pub(super) const NAME: &str = "quarantine.json";

/// The name of the lock file. The list itself cannot be the lock, because every change replaces
/// it with another file.
const LOCK: &str = "quarantine.lock";

/// The number of bytes that are read at most; more than a full list takes.
const MAX_BYTES: u64 = 16 << 20;

/// The content of the file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Content {
    /// The builds in quarantine.
    pub(super) held: Vec<QuarantinedBuild>,
    /// The builds that failed in a way that may have another cause than the build.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) suspected: Vec<SuspectedBuild>,
}

/// A build that failed, and how often it failed in the same way in a row.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SuspectedBuild {
    pub(super) hash: String,
    pub(super) reason: String,
    pub(super) times: u32,
}

/// The list while this process holds the lock, so that nobody else can change it.
#[derive(Debug)]
pub(super) struct LockedList {
    pub(super) content: Content,
    folder: CheckedFolder,
    /// The operating system releases the lock when this file is closed, also after a crash.
    _lock: File,
}

impl LockedList {
    /// Locks and reads the list. Creates the folder if it does not exist.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let folder = CheckedFolder::private(folder, Missing::IsMade)?;
        let lock = folder.open_to_write(LOCK.as_ref())?;
        lock.lock()?;
        let content = match parse(&folder)? {
            Ok(content) => content,
            Err(reason) => {
                move_aside(&folder, &reason)?;
                Content::default()
            }
        };
        Ok(Self { content, folder, _lock: lock })
    }

    /// Replaces the file by this list. A concurrent reader sees the old list or the new one.
    pub(super) fn write(self) -> io::Result<()> {
        let Self { content, folder, _lock } = self;
        durable::replace_json(&folder, NAME, &content)
    }
}

/// Reads the list. A file that does not exist, or was damaged and moved aside, is an empty list.
pub(super) fn read(folder: &Path) -> io::Result<Content> {
    let checked = match CheckedFolder::private(folder, Missing::IsAnError) {
        Err(AccessError::Missing) => return Ok(Content::default()),
        checked => checked?,
    };
    match parse(&checked)? {
        Ok(content) => Ok(content),
        // The file is read again under the lock, because another process may just have repaired it.
        Err(_) => Ok(LockedList::open(folder)?.content),
    }
}

/// Reads the list, or returns why the file is not one to be believed.
fn parse(folder: &CheckedFolder) -> io::Result<Result<Content, Unbelievable>> {
    durable::read_json(folder, NAME, MAX_BYTES)
}

fn move_aside(folder: &CheckedFolder, reason: &Unbelievable) -> io::Result<()> {
    let kept = durable::set_aside(folder, NAME)?;
    tracing::warn!(%reason, kept,
        "the quarantine is damaged and was set aside; builds that did harm may be tried again");
    Ok(())
}
