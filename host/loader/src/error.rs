//! The errors for files that are not loaded. Each names the file, the reason and the remedy.

mod code;
mod remedy;

use std::{io, path::PathBuf, time::Duration};

use hotbay_access::{AccessError, named_in_proc};
use hotbay_plugin_api::abi::API_VERSION;

use crate::probe::ProbeError;

pub use code::RefusalCode;

/// A file that was refused.
#[derive(Debug, thiserror::Error)]
#[error("{}: {refusal} [{}]; {}", path.display(), refusal.code(), refusal.remedy())]
pub struct LoadError {
    /// The path of the file that was refused.
    pub path: PathBuf,
    /// The reason why the file was refused.
    pub refusal: Refusal,
}

/// The reason for a refusal.
///
/// [`code`](Self::code) identifies the reason for programs; the text and the remedy are for
/// people.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The file, or what lies on the way to it, is not safe to be used.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Another user can change a library that this one is linked with.
    #[error("is linked with libraries that may not be trusted ({}: {source})", place.display())]
    Companion {
        /// The folder in which the linker looks, or the library.
        place: PathBuf,
        /// Why it is not safe.
        source: AccessError,
    },
    /// The signature does not match the file, or cannot be parsed.
    #[error("carries a broken signature ({0})")]
    BadSignature(String),
    /// The file has neither a pin nor a signature, and the trust mode demands one.
    #[error("has no pin and no signature, so nobody vouches for it")]
    Untrusted,
    /// The file is signed with a key that is not trusted, and has no pin.
    #[error("is signed with key {key}, which is not one that is trusted, and has no pin")]
    UnknownKey {
        /// The key's id, as minisign shows it.
        key: String,
    },
    /// The pin of this file name is for another build.
    #[error("is not the build that was pinned: its SHA-256 is {found}, the pin says {pinned}")]
    PinMismatch {
        /// The hash of the pinned build.
        pinned: String,
        /// The hash of the file.
        found: String,
    },
    /// The file is not a shared library.
    #[error("is not an ELF shared library ({0})")]
    NotALibrary(String),
    /// The file is a shared library whose end is missing or whose tables are wrong.
    #[error("is damaged ({0})")]
    Damaged(String),
    /// The library was built for another processor architecture.
    #[error("is built for {0}, this host is {host}", host = std::env::consts::ARCH)]
    OtherMachine(String),
    /// The library is not a Hotbay plugin.
    #[error("is a library but not a Hotbay plugin: it has no descriptor")]
    NotAPlugin,
    /// The descriptor is not one that an SDK writes.
    #[error("has a broken descriptor ({0})")]
    Descriptor(String),
    /// The plugin was built for another version of the plugin API.
    #[error("plugin {plugin} was built for plugin API {found}, this host speaks {API_VERSION}")]
    ApiVersion {
        /// The name of the plugin.
        plugin: String,
        /// The API version that the plugin was built for.
        found: u32,
    },
    /// The probe process crashed while it loaded or unloaded the library.
    #[error("crashed the probe ({0})")]
    ProbeCrashed(String),
    /// The probe process was ended by a signal that is no fault of the process that gets it. Most
    /// often another process has sent it: the kernel does when memory is short.
    #[error("had its probe killed ({0})")]
    ProbeKilled(String),
    /// The probe process did not finish in time.
    #[error("did not come up within {} in the probe", humantime::format_duration(*limit))]
    ProbeTimeout {
        /// The time limit of the probe.
        limit: Duration,
    },
    /// This build is in quarantine because it did harm before.
    #[error("is in quarantine since {since}: it {reason} (sha256 {hash})")]
    Quarantined {
        /// When the build was put into quarantine, in RFC 3339.
        since: String,
        /// What the build did, as the predicate of a sentence.
        reason: String,
        /// The hash of the build.
        hash: String,
    },
    /// The probe process could not do its work. The library is not to blame.
    #[error("cannot be probed ({0})")]
    NoProbe(#[source] ProbeError),
    /// The private copy is no longer the file that was checked.
    #[error("was changed in the staging folder after it was checked")]
    Changed,
    /// The dynamic linker refused the library.
    #[error("cannot be linked ({0})")]
    Linking(String),
    /// The types of the library's module differ from those of the host.
    #[error("does not fit this host's ABI ({0})")]
    Layout(String),
    /// The library changed something that all code of a process shares.
    #[error("changes while it loads what is the whole process's: {0}")]
    Meddling(String),
    /// The manifest cannot be read, or contradicts itself or the descriptor.
    #[error("has a broken manifest ({0})")]
    Manifest(String),
    /// The host lacks a resource that the load needs.
    #[error("cannot be loaded here ({operation}: {source})")]
    Host {
        /// The operation that failed.
        operation: String,
        /// The error of the operating system, or what the system lacks.
        source: io::Error,
    },
    /// A plugin of this name is loaded already.
    #[error("is plugin {name}, which was loaded from {} already", from.display())]
    Duplicate {
        /// The name of both plugins.
        name: String,
        /// The file that the loaded plugin came from.
        from: PathBuf,
    },
}

impl Refusal {
    /// Returns the part of the text that a probe process reports to the host, which adds the rest.
    pub(crate) fn detail(&self) -> String {
        if let Self::Linking(text)
        | Self::Layout(text)
        | Self::Manifest(text)
        | Self::Meddling(text) = self
        {
            return text.clone();
        }
        if let Self::NoProbe(error) = self { error.to_string() } else { self.to_string() }
    }

    /// Makes the refusal for an operation that the operating system did not let the host do. It names
    /// what the system lacks, if the error tells.
    pub fn host(operation: impl Into<String>, error: io::Error) -> Self {
        Self::Host { operation: operation.into(), source: named_in_proc(error) }
    }

    /// Combines this refusal with the file that it is about.
    pub fn of(self, path: impl Into<PathBuf>) -> LoadError {
        LoadError { path: path.into(), refusal: self }
    }
}
