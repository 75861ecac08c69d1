//! Who is in charge of a plan.

use std::fmt;

/// The number of a time during which one host is in charge of a plan. Later ones are higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A host that is, or wants to be, in charge of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostInfo {
    /// The name of the machine.
    pub machine: String,
    /// Identifies the boot of the machine.
    pub boot: String,
    /// The number of the process.
    pub process: u32,
}

impl HostInfo {
    /// Describes this process.
    pub fn this() -> Self {
        let kernel = |name| {
            let text = std::fs::read_to_string(format!("/proc/sys/kernel/{name}"));
            text.unwrap_or_default().trim().to_owned()
        };
        let (machine, boot) = (kernel("hostname"), kernel("random/boot_id"));
        Self { machine, boot, process: std::process::id() }
    }
}

impl fmt::Display for HostInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {}", self.process, self.machine)
    }
}
