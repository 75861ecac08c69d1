//! From a file to running code: probe, load, bay, and back to nothing.
//!
//! A file is checked for what it is and whose it is, copied to a private staging
//! folder and hashed, its ELF descriptor is read, a child process loads it first,
//! and only then is it loaded here, into a [`Bay`] of its own: the threads that run its code.
//! Closing a [`Generation`] joins those threads and unmaps the library.

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!("Hotbay loads plugins on Linux, on x86-64 and aarch64 only");

mod access;
mod apart;
mod bay;
mod company;
mod component;
mod crash;
mod durable;
mod elf;
mod error;
mod folder;
mod generation;
mod inbox;
mod keys;
mod lent;
mod library;
mod loader;
mod lodger;
mod log;
mod maps;
mod probe;
mod quarantine;
mod relay;
mod remains;
mod rfc3339;
mod seat;
mod services;
mod staging;
mod strangers;
mod task_run;
mod texts;
mod trust;

pub use access::Place;
pub(crate) use access::read_text as read_safe_text;
pub use bay::{Bay, BayConfig};
pub use component::{PluginComponent, PluginEvents, PluginTurns};
pub use crash::{Crash, CrashLedger, Doing, How};
pub use elf::read_descriptor;
pub use error::{LoadError, Refusal};
pub use folder::{Found, scan};
pub use generation::{Closed, FileInfo, Generation, GenerationInfo};
pub use hotbay_plugin_api::abi::DescriptorText as Descriptor;
pub use lent::{ComponentSetup, Connections};
pub use loader::{Checked, Inspected, Loader, LoaderConfig};
pub use probe::{PROBE_ARGUMENT, serve as serve_probe};
pub use quarantine::{Held, Quarantine, ReleaseError};
pub use remains::{Remains, sweep};
pub use seat::Seat;
pub use services::{Board, Clock, Progress, ReportRow, Services, SystemClock};
pub use task_run::{Busy, PluginRun};
pub use trust::{
    Added, Key, KeyError, Pin, Pins, PinsError, TRUST_REFUSALS, Trust, TrustMode, TrustedBy,
};

pub(crate) use lent::Mute;
