//! Builds that harmed a process are not tried again, across restarts, until somebody says so.
//!
//! A build is known by the hash of its bytes: another build of the same plugin is free to
//! come. The list is a file in the host's state folder, `quarantine.json`. A reader always
//! sees a whole one, and looks each time; who changes it holds a lock. So
//! `hotbay plugin release` works while the host runs, which has only to notice that
//! [the file](Quarantine::file) changed.

mod file;
#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use file::Locked;

/// The shortest beginning of a hash that names it.
const SHORTEST_PREFIX: usize = 6;

/// As many as are kept; the oldest give way. A build server that goes wrong makes many.
const MOST: usize = 1000;

/// The builds that are not to be tried.
#[derive(Debug, Clone)]
pub struct Quarantine {
    folder: PathBuf,
}

/// A build in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The SHA-256 of its bytes, in hexadecimal.
    pub hash: String,
    /// The file that it came from.
    pub file: PathBuf,
    /// The plugin's name.
    pub plugin: String,
    /// What it did, as a part of a sentence: `crashed the probe (…)`.
    pub reason: String,
    /// Since when.
    #[serde(with = "hotbay_store::rfc3339")]
    pub since: SystemTime,
}

/// Why nothing was released.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// Nothing of this name is held.
    #[error("no build in quarantine is, or comes from, {0}")]
    Unknown(String),
    /// It could be several.
    #[error("{prefix} is the beginning of several hashes: {}", hashes.join(", "))]
    Ambiguous {
        /// What was given.
        prefix: String,
        /// What it begins.
        hashes: Vec<String>,
    },
    /// The list can't be changed.
    #[error("the quarantine in {} can't be changed", folder.display())]
    Io {
        /// Where it is.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Quarantine {
    /// The quarantine of a state folder. Nothing is read or made before it is needed.
    pub fn open(state_folder: impl Into<PathBuf>) -> Self {
        Self { folder: state_folder.into() }
    }

    /// The list, for who wants to notice its changes. It need not be there.
    pub fn file(&self) -> PathBuf {
        self.folder.join(file::NAME)
    }

    /// Holds a build. One that is held already stays as it was.
    ///
    /// # Errors
    /// If the state folder can't be written.
    pub fn add(&self, held: Held) -> io::Result<()> {
        let mut list = Locked::open(&self.folder)?;
        if list.held.iter().any(|known| known.hash == held.hash) {
            return Ok(());
        }
        list.held.push(held);
        let too_many = list.held.len().saturating_sub(MOST);
        list.held.drain(..too_many);
        list.write()
    }

    /// The build with this hash, if it is held.
    pub fn find(&self, hash: &str) -> Option<Held> {
        self.entries().into_iter().find(|held| held.hash == hash)
    }

    /// All that are held, the oldest first.
    ///
    /// None if the list can't be read, which is said in the log: a host without its
    /// quarantine is better than no host. A damaged list is set aside.
    pub fn entries(&self) -> Vec<Held> {
        file::read(&self.folder).unwrap_or_else(|error| {
            tracing::warn!(%error, file = %self.file().display(),
                "the quarantine can't be read; builds that did harm may be tried again");
            Vec::new()
        })
    }

    /// Releases what is named: a plugin, a file by its path or its name, or a hash or at
    /// least six characters that it begins with. Gives what was released.
    ///
    /// # Errors
    /// If nothing is named so, or several hashes begin so, or the list can't be changed.
    pub fn release(&self, what: &str) -> Result<Vec<Held>, ReleaseError> {
        let failed = |source| ReleaseError::Io { folder: self.folder.clone(), source };
        let unknown = || ReleaseError::Unknown(what.to_owned());
        // Otherwise asking would make the folder.
        if !self.file().exists() {
            return Err(unknown());
        }
        let mut list = Locked::open(&self.folder).map_err(failed)?;
        let chosen = choose(&list.held, what)?;
        let is_chosen = |held: &mut Held| chosen.contains(&held.hash);
        let released: Vec<_> = list.held.extract_if(.., is_chosen).collect();
        if released.is_empty() {
            return Err(unknown());
        }
        list.write().map_err(failed)?;
        Ok(released)
    }
}

/// The hashes of what is named.
fn choose(held: &[Held], what: &str) -> Result<Vec<String>, ReleaseError> {
    let path = std::path::absolute(what).ok();
    let is_named = |held: &&Held| {
        let file = &held.file;
        held.plugin == what
            || path.as_ref() == Some(file)
            || file.file_name().is_some_and(|name| name == Path::new(what).as_os_str())
    };
    let named: Vec<_> = held.iter().filter(is_named).map(|held| held.hash.clone()).collect();
    if !named.is_empty() || what.len() < SHORTEST_PREFIX {
        return Ok(named);
    }
    let prefix = what.to_ascii_lowercase();
    let begun = held.iter().filter(|held| held.hash.starts_with(&prefix));
    let hashes: Vec<_> = begun.map(|held| held.hash.clone()).collect();
    if hashes.len() > 1 {
        return Err(ReleaseError::Ambiguous { prefix, hashes });
    }
    Ok(hashes)
}

impl fmt::Display for Held {
    /// One line that names all.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hash, file, plugin, reason, since } = self;
        let since = humantime::format_rfc3339_seconds(*since);
        let short = hash.get(..12).unwrap_or(hash);
        write!(f, "{short}  {plugin}  {}  since {since}: {reason}", file.display())
    }
}
