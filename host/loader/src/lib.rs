//! Checks, copies and probes a file, maps it as a library, and unmaps the library again.
//!
//! A file goes through these steps, each of which can refuse it:
//!
//! 1. `hotbay-access` checks the type, the owner and the permissions of the file.
//! 2. `staging` copies it to a private folder and hashes the copy.
//! 3. `trust` checks pins and signatures against the trust mode.
//! 4. `elf` reads the descriptor and checks the tables of the library.
//! 5. `probe` lets a child process load the library first, unless it is in quarantine.
//! 6. `library` maps the library into this process.
//!
//! A [`Loader`] makes steps 1 to 5. The crate `hotbay-runtime` makes the last step with a
//! [`ReadyLibrary`], on the threads that alone run the library's code, and closes the
//! [`MappedLibrary`] after these threads have ended. A library that cannot be unmapped then is
//! `retained`. `crash` attributes a crash of the process to a plugin.

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!("Hotbay loads plugins on Linux, on x86-64 and aarch64 only");

mod bay_threads;
mod blocking;
mod companions;
mod crash;
mod dependencies;
mod elf;
mod error;
mod folder;
mod foreign_threads;
mod layout;
mod library;
mod loader;
mod log;
mod manifest;
mod mapped;
mod maps;
mod probe;
mod pthread_keys;
mod retained;
mod slots;
mod staging;
mod staging_folder;
mod text;
mod trust;

pub use bay_threads::BayThreads;
pub use crash::{CrashLedger, exit_at_once};
pub use elf::{UniqueKept, Unloading};
pub use error::{LoadError, Refusal, RefusalCode};
pub use folder::{is_library, scan};
pub use hotbay_config::TrustMode;
pub use hotbay_plugin_api::abi::DescriptorText as Descriptor;
pub use library::{BackgroundObject, EventObject, Module, PluginObject, PluginValue, RunObject};
pub use loader::{Checked, Inspected, Loader, LoaderConfig, LoaderError};
pub use log::{PLUGIN_FIELDS, RunLine, RunLog};
pub use mapped::{MappedLibrary, ReadyLibrary};
pub use probe::{PROBE_ARGUMENT, ProbeError, serve as serve_probe};
pub use retained::{RetainedLibrary, sweep};
pub use trust::{Key, KeyError, Pin, PinChange, Pins, PinsError, Trust, TrustedBy};
