//! A crash, as it is remembered.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

/// One end of the host that a plugin is to blame for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crash {
    /// The plugin's name.
    pub plugin: String,
    /// The SHA-256 of the build, in hexadecimal.
    pub hash: String,
    /// The file that the build came from.
    pub file: PathBuf,
    /// How the host ended.
    pub how: How,
    /// What the plugin was doing.
    pub doing: Doing,
    /// When.
    #[serde(with = "hotbay_store::rfc3339")]
    pub when: SystemTime,
    /// Whether its build was put into quarantine for this, among others.
    #[serde(default)]
    pub settled: bool,
}

/// How the host ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// By this signal.
    Signal(i32),
    /// By a call of `exit`.
    Exit,
    /// Without a trace, while it loaded a library.
    Vanished,
}

/// What a plugin was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doing {
    /// Its library was being loaded.
    Loading,
    /// It was in service.
    Running,
}

impl fmt::Display for Crash {
    /// How it ended, as a part of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.how {
            How::Signal(signal) => write!(f, "by {}", signal_name(signal))?,
            How::Exit => f.write_str("by a call of exit")?,
            How::Vanished => f.write_str("without a trace")?,
        }
        f.write_str(match self.doing {
            Doing::Loading => " while it was loaded",
            Doing::Running => " while it ran",
        })
    }
}

/// What people call a signal.
pub(super) fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGBUS => "SIGBUS",
        libc::SIGILL => "SIGILL",
        libc::SIGFPE => "SIGFPE",
        libc::SIGABRT => "SIGABRT",
        _ => "a signal",
    }
}

/// A path as a text that people recognize.
pub(super) fn lossy(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
