//! The list as a file: replaced as a whole, changed under a lock.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use hotbay_store::durable;
use serde::{Deserialize, Serialize};

use super::Held;

pub(super) const NAME: &str = "quarantine.json";

/// The list itself can't be the lock: it is another file after each change.
const LOCK: &str = "quarantine.lock";

/// More than the most that are kept can take.
const CAP: u64 = 16 << 20;

#[derive(Debug, Default, Serialize, Deserialize)]
struct List {
    held: Vec<Held>,
}

/// The list, while nobody else can change it.
#[derive(Debug)]
pub(super) struct Locked {
    pub(super) held: Vec<Held>,
    folder: PathBuf,
    /// Unlocked by the system when it is closed, however that comes.
    _lock: File,
}

impl Locked {
    /// Locks and reads the list. Makes the folder if it isn't there.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        durable::make_folder(folder)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let lock = options.open(folder.join(LOCK))?;
        lock.lock()?;
        let held = match parse(folder)? {
            Ok(held) => held,
            Err(error) => {
                set_aside(folder, &error)?;
                Vec::new()
            }
        };
        Ok(Self { held, folder: folder.to_owned(), _lock: lock })
    }

    /// Replaces the list. Who reads meanwhile sees the old one.
    pub(super) fn write(self) -> io::Result<()> {
        let Self { held, folder, _lock } = self;
        durable::replace_json(&folder.join(NAME), &List { held })
    }
}

/// Reads the list; nothing is held if it isn't there, or after it was set aside.
pub(super) fn read(folder: &Path) -> io::Result<Vec<Held>> {
    match parse(folder)? {
        Ok(held) => Ok(held),
        // Under the lock it is looked at again: somebody may just have mended it.
        Err(_) => Ok(Locked::open(folder)?.held),
    }
}

fn parse(folder: &Path) -> io::Result<Result<Vec<Held>, serde_json::Error>> {
    let file = match File::open(folder.join(NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ok(Vec::new())),
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    file.take(CAP).read_to_end(&mut text)?;
    Ok(serde_json::from_slice::<List>(&text).map(|list| list.held))
}

fn set_aside(folder: &Path, error: &serde_json::Error) -> io::Result<()> {
    let (list, aside) = (folder.join(NAME), folder.join("quarantine.damaged.json"));
    fs::rename(&list, &aside)?;
    tracing::warn!(%error, kept = %aside.display(),
        "the quarantine is damaged and was set aside; builds that did harm may be tried again");
    Ok(())
}
