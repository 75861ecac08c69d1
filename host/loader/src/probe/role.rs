//! Whether this process is a probe, or can start itself as one.

use std::{
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use super::PROBE_ARGUMENT;

/// The argument after the library, of a program that became itself anew.
const ANEW: &str = "anew";

/// Whether [`serve`](super::serve) was called in this process.
static SERVED: AtomicBool = AtomicBool::new(false);

/// Records that [`serve`](super::serve) was called.
pub(super) fn note_served() {
    SERVED.store(true, Ordering::Relaxed);
}

/// Returns `true` if [`serve`](super::serve) was called in this process.
pub(super) fn is_served() -> bool {
    SERVED.load(Ordering::Relaxed)
}

/// Returns `true` if this process was started to be a probe.
pub(super) fn is_started_as_probe() -> bool {
    task().is_some()
}

/// What a child is asked to do.
pub(super) enum Task {
    Handshake,
    /// Become a program without inherited descriptors, which loads the library.
    StartAnew(PathBuf),
    Load(PathBuf),
}

/// Returns what this process is asked to do, if it was started to be a probe.
pub(super) fn task() -> Option<Task> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != PROBE_ARGUMENT {
        return None;
    }
    let library = arguments.next().map(PathBuf::from);
    let is_anew = arguments.next().is_some_and(|argument| argument == ANEW);
    Some(match library {
        None => Task::Handshake,
        Some(path) if is_anew => Task::Load(path),
        Some(path) => Task::StartAnew(path),
    })
}

/// Becomes the same program once more, which is then to load the library. Returns why not.
pub(super) fn start_anew(library: &Path) -> io::Error {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("hotbay").arg(PROBE_ARGUMENT).arg(library).arg(ANEW).exec()
}
