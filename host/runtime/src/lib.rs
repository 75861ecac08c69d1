//! Plugin instances: the threads that alone run a build's code, the host as a plugin sees
//! it, and the replacement of one build by the next.

#![forbid(unsafe_code)]

mod bay;
mod caller;
pub mod change;
mod component;
mod generation;
mod inbox;
mod lent;
mod lodger;
mod relay;
mod seat;
mod services;
mod task_run;

pub use bay::{Bay, BayConfig};
pub use component::{PluginComponent, PluginEvents, PluginTurns};
pub use generation::{Closed, FileInfo, Generation, GenerationInfo};
pub use lent::{ComponentSetup, Connections, Mute};
pub use seat::Seat;
pub use services::{Board, Clock, Progress, ReportRow, Services, SystemClock};
pub use task_run::{Busy, PluginRun, PluginRuns};
