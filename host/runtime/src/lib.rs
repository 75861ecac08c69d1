//! The host's runtime for plugins, with the threads that alone run a build's code, the host's side
//! of the ABI, and the replacement of one build by the next.

#![forbid(unsafe_code)]

mod bay;
mod board;
mod call;
mod caller;
mod component;
mod generation;
mod host_port;
mod inbox;
mod object_handle;
mod object_registry;
mod relay;
pub mod replacement;
mod report_gate;
mod runs;
mod services;
mod slot;
mod spec;
mod split_batch;

pub use bay::{Bay, BayConfig};
pub use board::{Board, LeftOut, Progress, ReportRow};
pub use component::{PluginBackgroundTask, PluginComponent, PluginEventTask};
pub use generation::{FileInfo, Generation, GenerationInfo, UnloadOutcome};
pub use hotbay_config::MAX_THREADS;
pub use report_gate::ReportGate;
pub use runs::{BusyThreads, PluginRun, RunFactory};
pub use services::{Clock, Descriptors, Services, SystemClock};
pub use slot::ComponentSlot;
pub use spec::{ComponentSetup, ComponentSpec, Connections};
