//! The plain data that a plugin and its host exchange.
//!
//! Everything here crosses the border as JSON, so that it can grow within one API version;
//! nothing here depends on `abi_stable`. The rules for growing are those of the window, which
//! the documentation of the module `abi` describes.

mod dependency;
mod durability;
mod event_type;
mod fields;
mod handover;
mod manifest;
mod millis;
mod port;
mod priority;
mod retry;
mod run;
mod schedule;
mod task;
mod task_kind;

pub use dependency::OnDependencyFailure;
pub use durability::Durability;
pub use event_type::EventTypeSpec;
pub use handover::Handover;
pub use manifest::{ComponentManifest, Manifest};
pub use port::PortManifest;
pub use priority::Priority;
pub use retry::Backoff;
pub use run::{RunInfo, RunRequest, RunTarget};
pub use schedule::{Misfire, Overlap, Schedule};
pub use task::{FunctionKind, TaskSpec};
pub use task_kind::TaskKindSpec;
