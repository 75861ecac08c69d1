//! From a file to a mapped library: check, copy, judge, probe, map, and back to nothing.
//!
//! A file is checked for what it is and whose it is, copied to a private staging
//! folder and hashed, its ELF descriptor is read, a child process loads it first,
//! and only then is it mapped here, on the threads that alone run its code. Those threads,
//! and what they run, belong to the crate `hotbay-runtime`.

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!("Hotbay loads plugins on Linux, on x86-64 and aarch64 only");

mod access;
mod apart;
mod company;
mod crash;
mod elf;
mod error;
mod folder;
mod keys;
mod library;
mod loader;
mod log;
mod mapped;
mod maps;
mod probe;
mod quarantine;
mod remains;
mod staging;
mod strangers;
mod texts;
mod trust;

pub use access::{Place, read_text as read_safe_text};
pub use crash::{Crash, CrashLedger, Doing, How};
pub use elf::read_descriptor;
pub use error::{LoadError, Refusal};
pub use folder::{Found, scan};
pub use hotbay_config::TrustMode;
pub use hotbay_plugin_api::abi::DescriptorText as Descriptor;
pub use loader::{Checked, Inspected, Loader, LoaderConfig};
pub use log::connect as connect_log;
pub use mapped::{MappedLibrary, ReadyLibrary, ThreadMark, read_manifest};
pub use probe::{PROBE_ARGUMENT, serve as serve_probe};
pub use quarantine::{Held, Quarantine, ReleaseError};
pub use remains::{Remains, sweep};
pub use trust::{Added, Key, KeyError, Pin, Pins, PinsError, TRUST_REFUSALS, Trust, TrustedBy};
