//! What an operator or author can do about a refusal.

use hotbay_access::AccessError;

use super::Refusal;

impl Refusal {
    /// Returns what an operator or author can do about the refusal of a plugin.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Access(AccessError::NotAFile(_)) => "remove it from the plugins folder",
            Self::Access(AccessError::TooLarge { .. }) => {
                "strip the library (`strip = true` in its release profile)"
            }
            Self::Access(error) => error.remedy(),
            Self::Companion { .. } => {
                "see who can write there, and take that right away; or build the plugin without \
                 this RUNPATH, and leave the folder out of LD_LIBRARY_PATH"
            }
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
            // What glibc says. Its room for such thread-locals is given out once for each process.
            Self::Linking(text) if text.contains("static TLS block") => {
                "restart the host, and build the plugin's C code with `-ftls-model=global-dynamic`"
            }
            Self::Linking(_) => "build it on a system with the same or an older libc",
            Self::Layout(_) => "rebuild it with the hotbay-plugin-api of this host's version",
            Self::Meddling(_) => {
                "look for what its static constructors and schemas do, and leave it out"
            }
            Self::Manifest(_) => "mend the plugin's PLUGIN_TASKS or components and rebuild it",
            Self::Host { .. } => "check the host's memory, threads and temporary folder",
            Self::Duplicate { .. } => "remove one of the two",
        }
    }
}
