//! Why a file is not loaded: always the file, the reason, and what to do about it.

use std::path::PathBuf;

use hotbay_plugin_api::abi::API_VERSION;

use super::access::Place;

/// A file that was refused.
#[derive(Debug, thiserror::Error)]
#[error("{}: {refusal} [{}]; {}", path.display(), refusal.code(), refusal.remedy())]
pub struct LoadError {
    /// Which file.
    pub path: PathBuf,
    /// Why.
    pub refusal: Refusal,
}

/// The reason for a refusal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Nothing is there.
    #[error("there is no such file")]
    Missing,
    /// The system did not let the file be read.
    #[error("cannot be read ({0})")]
    Unreadable(std::io::Error),
    /// A symbolic link.
    #[error("is a symbolic link")]
    Link,
    /// A folder, a device, a pipe, a socket.
    #[error("is not a regular file but {0}")]
    NotAFile(&'static str),
    /// Somebody could change or replace it who has no business here.
    #[error("{place}can be written by others (mode {mode:04o}, group {group})")]
    WritableByOthers {
        /// The file or its folder.
        place: Place,
        /// The permissions there.
        mode: u32,
        /// The group there.
        group: u32,
    },
    /// Somebody owns it who has no business here.
    #[error("{place}belongs to user {owner}, who is neither root nor the host's user {host}")]
    ForeignOwner {
        /// The file or its folder.
        place: Place,
        /// Whose it is.
        owner: u32,
        /// The user that the host runs as.
        host: u32,
    },
    /// More bytes than the cap.
    #[error("has {size} bytes, more than the cap of {cap}")]
    TooLarge {
        /// How many it has.
        size: u64,
        /// How many are allowed.
        cap: u64,
    },
    /// Its signature shows that it is not what its author made.
    #[error("carries a broken signature ({0})")]
    BadSignature(String),
    /// The trust mode asks for somebody who vouches for it.
    #[error("has no pin and no signature, so nobody vouches for it")]
    Untrusted,
    /// Signed by somebody who is not trusted.
    #[error("is signed with key {key}, which is not one that is trusted, and has no pin")]
    UnknownKey {
        /// The key's id, as minisign shows it.
        key: String,
    },
    /// Another build of it is the one that was pinned.
    #[error("is not the build that was pinned: its SHA-256 is {found}, the pin says {pinned}")]
    PinMismatch {
        /// The hash of the pinned build.
        pinned: String,
        /// The hash of this one.
        found: String,
    },
    /// Not a shared library at all.
    #[error("is not an ELF shared library ({0})")]
    NotALibrary(String),
    /// A shared library once.
    #[error("is damaged ({0})")]
    Damaged(String),
    /// Built for another machine.
    #[error("is built for {0}, this host is {host}", host = std::env::consts::ARCH)]
    OtherMachine(String),
    /// A library, but not a Hotbay plugin.
    #[error("is a library but not a Hotbay plugin: it has no descriptor")]
    NotAPlugin,
    /// A descriptor that no SDK writes.
    #[error("has a broken descriptor ({0})")]
    Descriptor(String),
    /// Of another version of the plugin API.
    #[error("plugin {plugin} was built for plugin API {found}, this host speaks {API_VERSION}")]
    ApiVersion {
        /// The plugin's name.
        plugin: String,
        /// What it was built for.
        found: u32,
    },
    /// The child process that tried it first died of it.
    #[error("crashed the probe ({0})")]
    ProbeCrashed(String),
    /// The child process did not come to an end.
    #[error("did not come up within {limit:?} in the probe")]
    ProbeTimeout {
        /// How long it had.
        limit: std::time::Duration,
    },
    /// This very build did harm before.
    #[error("is in quarantine since {since}: it {reason} (sha256 {hash})")]
    Quarantined {
        /// Since when, RFC 3339.
        since: String,
        /// What it did.
        reason: String,
        /// The hash of its bytes.
        hash: String,
    },
    /// The child process could not be run.
    #[error("cannot be probed ({0})")]
    NoProbe(String),
    /// The private copy is not what was checked.
    #[error("was changed in the staging folder after it was checked")]
    Changed,
    /// The dynamic linker refused it.
    #[error("cannot be linked ({0})")]
    Linking(String),
    /// The types at the border differ.
    #[error("does not fit this host's ABI ({0})")]
    Layout(String),
    /// It changed something that the plugins and their host share.
    #[error("changes while it loads what is the whole process's: {0}")]
    Meddling(String),
    /// The manifest could not be had or makes no sense.
    #[error("has a broken manifest ({0})")]
    Manifest(String),
    /// No room for a copy, or no thread for a bay.
    #[error("cannot be loaded here ({0})")]
    Host(String),
    /// A plugin of this name is loaded already.
    #[error("is plugin {name}, which was loaded from {} already", from.display())]
    Duplicate {
        /// The name of both.
        name: String,
        /// The file of the first.
        from: PathBuf,
    },
}

impl Refusal {
    /// A short name for the reason, stable across versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unreadable(_) => "unreadable",
            Self::Link => "link",
            Self::NotAFile(_) => "not-a-file",
            Self::WritableByOthers { .. } => "writable-by-others",
            Self::ForeignOwner { .. } => "foreign-owner",
            Self::TooLarge { .. } => "too-large",
            Self::BadSignature(_) => "bad-signature",
            Self::Untrusted => "untrusted",
            Self::UnknownKey { .. } => "unknown-key",
            Self::PinMismatch { .. } => "pin-mismatch",
            Self::NotALibrary(_) => "not-a-library",
            Self::Damaged(_) => "damaged",
            Self::OtherMachine(_) => "other-machine",
            Self::NotAPlugin => "not-a-plugin",
            Self::Descriptor(_) => "descriptor",
            Self::ApiVersion { .. } => "api-version",
            Self::ProbeCrashed(_) => "probe-crashed",
            Self::ProbeTimeout { .. } => "probe-timeout",
            Self::Quarantined { .. } => "quarantined",
            Self::NoProbe(_) => "no-probe",
            Self::Changed => "changed",
            Self::Linking(_) => "linking",
            Self::Layout(_) => "layout",
            Self::Meddling(_) => "meddling",
            Self::Manifest(_) => "manifest",
            Self::Host(_) => "host",
            Self::Duplicate { .. } => "duplicate",
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Missing => "check the path",
            Self::Unreadable(_) => "check the path and its permissions",
            Self::Link => "put a copy of the file there instead",
            Self::NotAFile(_) => "remove it from the plugins folder",
            Self::WritableByOthers { place: Place::File, .. } => {
                "see what changed it, then take that right away: `chmod go-w` the file"
            }
            Self::WritableByOthers { place: Place::Folder, .. } => {
                "see who put it there, then take that right away: `chmod go-w` the folder"
            }
            Self::ForeignOwner { .. } => {
                "see who put it there, then `chown` it to root or the host's user"
            }
            Self::TooLarge { .. } => "strip the library (`strip = true` in its release profile)",
            Self::BadSignature(_) => {
                "do not trust it; fetch the file and its `.minisig` again from where they come"
            }
            Self::Untrusted => {
                "find out where it comes from, then pin it with `hotbay plugin trust FILE`"
            }
            Self::UnknownKey { .. } => {
                "add the key under `plugins.trust.keys`, or pin the file with `hotbay plugin trust FILE`"
            }
            Self::PinMismatch { .. } => {
                "find out what changed it, then pin it anew with `hotbay plugin trust FILE`"
            }
            Self::NotALibrary(_) => {
                "copy it again if it was cut short, and build it with crate-type = [\"cdylib\"]"
            }
            Self::Damaged(_) => "copy it again, or rebuild it",
            Self::OtherMachine(_) => "build it for this machine",
            Self::NotAPlugin => "call `hotbay_plugin_api::export_plugin!` in the crate's root",
            Self::Descriptor(_) => "leave it to `export_plugin!`, which takes it from the package",
            Self::ApiVersion { .. } => {
                "rebuild it with the hotbay-plugin-api of this host's version"
            }
            Self::ProbeCrashed(_) => {
                "copy it again if it was cut short, or look at what it does when it is loaded"
            }
            Self::ProbeTimeout { .. } => "look for work done in static constructors",
            Self::Quarantined { .. } => {
                "put another build there, or have this one tried again: `hotbay plugin release`"
            }
            Self::NoProbe(_) => "check that the hotbay executable can be started",
            Self::Changed => {
                "do not trust it: its own code, run in the probe, or another program changed it"
            }
            Self::Linking(_) => "build it on a system with the same or an older libc",
            Self::Layout(_) => "rebuild it with the hotbay-plugin-api of this host's version",
            Self::Meddling(_) => {
                "look for what its static constructors and schemas do, and leave it out"
            }
            Self::Manifest(_) => "mend the plugin's PLUGIN_TASKS or components and rebuild it",
            Self::Host(_) => "check the host's memory, threads and temporary folder",
            Self::Duplicate { .. } => "remove one of the two",
        }
    }

    /// What stands in the text's brackets, for the refusals that a probe can give.
    pub(crate) fn detail(&self) -> Option<&str> {
        if let Self::Linking(text)
        | Self::Layout(text)
        | Self::Manifest(text)
        | Self::Meddling(text) = self
        {
            return Some(text);
        }
        None
    }

    /// The refusal of this file.
    /// This refusal, of this file.
    pub fn of(self, path: impl Into<PathBuf>) -> LoadError {
        LoadError { path: path.into(), refusal: self }
    }
}
