//! The history of crashes that a plugin caused: `crashes.json` in the state folder.
//!
//! The history answers one question: which builds crashed the host so often, within so short a
//! time, that they belong into quarantine?

mod history;
#[cfg(test)]
mod tests;

use std::{fmt, path::PathBuf, time::SystemTime};

use serde::{Deserialize, Serialize};

pub use history::{CrashHistory, SUSPECT_CRASHES, SUSPECT_WINDOW};

/// One end of the host process that is attributed to a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crash {
    /// The name of the plugin.
    pub plugin: String,
    /// The SHA-256 of the build, in hexadecimal.
    pub hash: String,
    /// The file that the build was read from.
    #[serde(serialize_with = "crate::path_text::serialize")]
    pub file: PathBuf,
    /// How the process ended.
    pub how: Termination,
    /// What the host did with the plugin when the process ended.
    pub doing: Phase,
    /// When the process ended.
    #[serde(with = "crate::rfc3339")]
    pub when: SystemTime,
    /// Whether the build was put into quarantine for this crash, among others.
    #[serde(default)]
    pub settled: bool,
}

/// How the host process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Termination {
    /// The process was killed by the signal with this number.
    Signal(i32),
    /// The plugin called `exit`.
    Exit,
    /// The process ended without a record while it loaded a library.
    Vanished,
}

/// What the host did with a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The host was loading the library.
    Loading,
    /// The plugin was in service.
    Running,
}

impl fmt::Display for Crash {
    /// Formats how the process ended, as the adverbial part of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.how {
            Termination::Signal(signal) => write!(f, "by {}", signal_name(signal))?,
            Termination::Exit => f.write_str("by a call of exit")?,
            Termination::Vanished => f.write_str("without a trace")?,
        }
        f.write_str(match self.doing {
            Phase::Loading => " while it was loaded",
            Phase::Running => " while it ran",
        })
    }
}

/// Returns the name of a fatal signal. The function is async-signal-safe.
pub fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGBUS => "SIGBUS",
        libc::SIGILL => "SIGILL",
        libc::SIGFPE => "SIGFPE",
        libc::SIGABRT => "SIGABRT",
        _ => "a signal",
    }
}
