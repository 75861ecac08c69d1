//! Why a probe cannot do its work.

use std::{io, path::PathBuf};

use hotbay_plugin_api::abi::API_VERSION;

/// Why a probe process could not do its work. No plugin is to blame for it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The running program is its own probe program, and did not call
    /// [`serve_probe`](crate::serve_probe).
    #[error(
        "this program does not serve the probe: call `hotbay::loader::serve_probe` first thing in \
         `main`, or name a `hotbay` binary as the probe program"
    )]
    NotServed,
    /// The running program was started as a probe, and went on without becoming one.
    #[error(
        "this program was started as a probe and did not become one; call \
         `hotbay::loader::serve_probe` first thing in `main`"
    )]
    StartedAsProbe,
    /// The probe program did not answer the handshake.
    #[error(
        "{} does not answer as a probe ({reason}); it has to call `hotbay::loader::serve_probe` \
         first thing in `main`", program.display()
    )]
    NoAnswer {
        /// The path of the probe program.
        program: PathBuf,
        /// What the program did instead of answering as a probe.
        reason: String,
    },
    /// The probe program was built for another version of the plugin API.
    #[error(
        "{} probes for plugin API {found}, this host speaks {API_VERSION}; name the `hotbay` \
         binary of this host's version", program.display()
    )]
    ApiVersion {
        /// The path of the probe program.
        program: PathBuf,
        /// The API version of the probe program.
        found: u32,
    },
    /// The operating system did not let the probe program be run.
    #[error("{}: {source}", program.display())]
    Start {
        /// The path of the probe program.
        program: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Another process killed the probe program before it had answered.
    #[error("the probe was killed ({how}); see who ended it")]
    Killed {
        /// By which signal.
        how: String,
    },
    /// The child process reported that it could not do its work.
    #[error("{0}")]
    Child(String),
}
