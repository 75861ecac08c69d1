//! Hotbay, the library: an event bus, a scheduler and trading engines for programs
//! that bring their own tasks, load them as plugins, or both.
//!
//! Without the feature `plugins`, which is on by default, this is the bus, the scheduler
//! and the engine alone: few dependencies, any operating system.

#![forbid(unsafe_code)]

pub use hotbay_core::*;

#[cfg(feature = "plugins")]
pub use hotbay_config as config;
#[cfg(feature = "plugins")]
pub use hotbay_daemon as daemon;
#[cfg(feature = "plugins")]
pub use hotbay_loader as loader;
#[cfg(feature = "plugins")]
pub use hotbay_runtime as runtime;
#[cfg(feature = "plugins")]
pub use hotbay_store as store;
