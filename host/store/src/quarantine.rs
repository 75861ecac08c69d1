//! The quarantine, which lists builds that harmed a process and must not be tried again.
//!
//! A build is identified by the hash of its bytes, so another build of the same plugin is not
//! affected. A build stays in quarantine across restarts until somebody releases it.
//!
//! A failure that may have another cause than the build, such as a machine without memory, is
//! noted as a suspicion first. The same failure three times in a row puts the build into
//! quarantine.
//!
//! The list is `quarantine.json` in the state folder. A writer replaces the file as a whole
//! while it holds a lock, and a reader reads the file each time. So `hotbay plugin release`
//! works while the host runs; the host only has to notice that [the file](Quarantine::file)
//! changed.

mod file;
#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use crate::{rfc3339, short_hash};
use file::{Content, LockedList, SuspectedBuild};

/// The number of times in a row that the same failure is put down to something else than the build,
/// plus one.
const PATIENCE: u32 = 3;

/// The length of the shortest prefix of a hash that selects a build.
const SHORTEST_PREFIX: usize = 6;

/// The number of builds that are kept. The oldest entries are removed first: a build server
/// that goes wrong can produce builds without end.
const MAX_BUILDS: usize = 1000;

/// The list of builds that must not be tried again.
#[derive(Debug, Clone)]
pub struct Quarantine {
    folder: PathBuf,
}

/// One build in quarantine, and why it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantinedBuild {
    /// The SHA-256 of the library, in hexadecimal.
    pub hash: String,
    /// The file that the build was read from.
    #[serde(serialize_with = "crate::path_text::serialize")]
    pub file: PathBuf,
    /// The name of the plugin.
    pub plugin: String,
    /// What the build did, as the predicate of a sentence: `crashed the probe (…)`.
    pub reason: String,
    /// When the build was put into quarantine.
    #[serde(with = "crate::rfc3339")]
    pub since: SystemTime,
    /// The time limit that the build exceeded, if that is what it did. Under a longer limit it is
    /// worth another attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Duration>,
}

/// Why [`Quarantine::release`] released nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// No build in quarantine matches the name.
    #[error("no build in quarantine is, or comes from, {0}")]
    Unknown(String),
    /// The prefix matches the hashes of several builds.
    #[error("{prefix} is the beginning of several hashes: {}", hashes.join(", "))]
    Ambiguous {
        /// The prefix that was given.
        prefix: String,
        /// The hashes that begin with the prefix.
        hashes: Vec<String>,
    },
    /// The list could not be read or written.
    #[error("the quarantine in {} can't be changed", folder.display())]
    Io {
        /// The state folder, which contains the list.
        folder: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

impl Quarantine {
    /// Creates a handle to the quarantine of a state folder. Neither the folder nor the list is
    /// touched until an operation needs it.
    pub fn open(state_folder: impl Into<PathBuf>) -> Self {
        Self { folder: state_folder.into() }
    }

    /// Returns the path of the list, for callers that watch it for changes. The file need not
    /// exist.
    pub fn file(&self) -> PathBuf {
        self.folder.join(file::NAME)
    }

    /// Puts a build into quarantine. An entry that exists already is left unchanged.
    ///
    /// # Errors
    /// If the state folder cannot be written.
    pub fn add(&self, build: QuarantinedBuild) -> io::Result<()> {
        let mut list = LockedList::open(&self.folder)?;
        if list.content.held.iter().any(|known| known.hash == build.hash) {
            return Ok(());
        }
        list.content.hold(build);
        list.write()
    }

    /// Notes a failure of a build that may have another cause than the build. The same failure
    /// three times in a row puts the build into quarantine; [`clear`](Self::clear) ends the row.
    ///
    /// Returns `true` if the build is in quarantine now.
    ///
    /// # Errors
    /// If the state folder cannot be written.
    pub fn suspect(&self, mut build: QuarantinedBuild) -> io::Result<bool> {
        let mut list = LockedList::open(&self.folder)?;
        let content = &mut list.content;
        let known = content.suspected.iter().position(|it| it.hash == build.hash);
        let known = known.map(|at| content.suspected.remove(at));
        let before = known.filter(|it| it.reason == build.reason).map_or(0, |it| it.times);
        // A build that is held was tried again for a longer limit.
        let is_held = content.held.iter().any(|it| it.hash == build.hash);
        let holds = is_held || before + 1 >= PATIENCE;
        if holds {
            build.reason = format!("{}, several times in a row", build.reason);
            content.hold(build);
        } else {
            let QuarantinedBuild { hash, reason, .. } = build;
            content.suspected.push(SuspectedBuild { hash, reason, times: before + 1 });
            let excess = content.suspected.len().saturating_sub(MAX_BUILDS);
            content.suspected.drain(..excess);
        }
        list.write()?;
        Ok(holds)
    }

    /// Forgets what was noted about a build, and releases it: it has passed the check.
    ///
    /// # Errors
    /// If the state folder cannot be written. A list that has nothing about the build is only read.
    pub fn clear(&self, hash: &str) -> io::Result<()> {
        let knows = |content: &Content| {
            content.held.iter().any(|it| it.hash == hash)
                || content.suspected.iter().any(|it| it.hash == hash)
        };
        if !knows(&file::read(&self.folder)?) {
            return Ok(());
        }
        let mut list = LockedList::open(&self.folder)?;
        list.content.held.retain(|it| it.hash != hash);
        list.content.suspected.retain(|it| it.hash != hash);
        list.write()
    }

    /// Returns the build with this hash, if it is in quarantine.
    pub fn find(&self, hash: &str) -> Option<QuarantinedBuild> {
        self.entries().into_iter().find(|build| build.hash == hash)
    }

    /// Returns all builds in quarantine, the oldest first.
    ///
    /// Returns an empty list, and logs a warning, if the list cannot be read: a host without its
    /// quarantine is better than no host. A damaged list is moved aside.
    pub fn entries(&self) -> Vec<QuarantinedBuild> {
        file::read(&self.folder).map(|content| content.held).unwrap_or_else(|error| {
            tracing::warn!(%error, file = %self.file().display(),
                "the quarantine can't be read; builds that did harm may be tried again");
            Vec::new()
        })
    }

    /// Releases every build that `selector` names, and returns these builds.
    ///
    /// The selector is the name of a plugin, the path or the name of a file, a hash, or the
    /// first characters of a hash, at least six.
    ///
    /// # Errors
    /// If the selector names no build, if it is a prefix of several hashes, or if the list
    /// cannot be changed.
    pub fn release(&self, selector: &str) -> Result<Vec<QuarantinedBuild>, ReleaseError> {
        let failed = |source| ReleaseError::Io { folder: self.folder.clone(), source };
        let unknown = || ReleaseError::Unknown(selector.to_owned());
        // Taking the lock would create the folder, and a question must not create one.
        if !self.file().exists() {
            return Err(unknown());
        }
        let mut list = LockedList::open(&self.folder).map_err(failed)?;
        let hashes = select(&list.content.held, selector)?;
        let is_selected = |build: &mut QuarantinedBuild| hashes.contains(&build.hash);
        let released: Vec<_> = list.content.held.extract_if(.., is_selected).collect();
        if released.is_empty() {
            return Err(unknown());
        }
        list.write().map_err(failed)?;
        Ok(released)
    }
}

impl Content {
    /// Puts a build into quarantine, in place of an older entry of the same build.
    fn hold(&mut self, build: QuarantinedBuild) {
        self.held.retain(|it| it.hash != build.hash);
        self.held.push(build);
        let excess = self.held.len().saturating_sub(MAX_BUILDS);
        self.held.drain(..excess);
    }
}

/// Returns the hashes of the builds that the selector names.
fn select(builds: &[QuarantinedBuild], selector: &str) -> Result<Vec<String>, ReleaseError> {
    let path = std::path::absolute(selector).ok();
    let is_named = |build: &&QuarantinedBuild| {
        let file = &build.file;
        build.plugin == selector
            || path.as_ref() == Some(file)
            || file.file_name().is_some_and(|name| name == Path::new(selector).as_os_str())
    };
    let named: Vec<_> = builds.iter().filter(is_named).map(|build| build.hash.clone()).collect();
    if !named.is_empty() || selector.len() < SHORTEST_PREFIX {
        return Ok(named);
    }
    let prefix = selector.to_ascii_lowercase();
    let matching = builds.iter().filter(|build| build.hash.starts_with(&prefix));
    let hashes: Vec<_> = matching.map(|build| build.hash.clone()).collect();
    if hashes.len() > 1 {
        return Err(ReleaseError::Ambiguous { prefix, hashes });
    }
    Ok(hashes)
}

impl fmt::Display for QuarantinedBuild {
    /// Formats the entry as one line with all of its fields.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hash, file, plugin, reason, since, limit: _ } = self;
        let since = rfc3339::seconds(*since);
        let short = short_hash(hash);
        write!(f, "{short}  {plugin}  {}  since {since}: {reason}", file.display())
    }
}
