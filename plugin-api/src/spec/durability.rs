//! What a host keeps of a task's runs across restarts.

use serde::{Deserialize, Serialize};

/// What a host keeps of the runs of a task, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "abi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Runs are kept in memory only. A host that starts again knows nothing of them.
    Memory,
    /// Runs are stored soon after something happened to them. What happened in the last moments
    /// before a host was killed may be lost.
    Async,
    /// Whatever happens to a run is on the disk before its consequences: a run that was accepted
    /// or that has begun is known after a crash of the system.
    #[default]
    Fsync,
}
