//! The harness of the end-to-end tests, which use real libraries and real processes and wait for
//! facts.
//!
//! [`library`] and [`hotbay()`] have cargo build what a test loads and runs, once
//! for each test process. A [`PluginsFolder`] holds copies of libraries, a
//! [`ConfigFile`] names the folder, a [`Run`] is the `hotbay` process, and
//! [`Report`] reads what it printed.
//!
//! Nothing here sleeps for luck: [`until`] looks again and again for a fact,
//! and fails with its name when the time is over.

mod builds;
mod cargo;
mod folder;
mod heap;
mod keys;
pub mod proc;
mod report;
mod run;
mod schedules;
mod sink;
mod wait;

pub use builds::{another_build, build_that, build_with_unique, put};
pub use cargo::{BuildError, Profile, build_host, build_plugins, hotbay, library, workspace};
pub use folder::{ConfigFile, PluginsFolder, switched_off};
pub use heap::heap_in_use;
pub use keys::free_keys;
pub use report::Report;
pub use run::{Ended, Run, Running, Signal};
pub use schedules::{Schedules, only_scheduled};
pub use sink::{Fault, Sink};
pub use wait::{LIMIT, until};
