//! What a host needs that replaces the builds of running tasks.
//!
//! Programs that only run their own tasks need nothing of it: see
//! [`Scheduler`](crate::Scheduler) and [`TradingEngine`](crate::TradingEngine). The state
//! machine of a driven task and the rules of its transitions are told at the head of
//! `scheduler/state.rs`.

pub use super::{
    core::{Core, Entries},
    entry::Entry,
    guard::{Guarded, guarded},
    options::ComponentPorts,
    replace::{HoldError, Prepared},
};
pub use crate::bus::WaitsFor;
