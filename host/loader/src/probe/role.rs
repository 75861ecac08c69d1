//! Whether this process is a probe, or can start itself as one.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use super::PROBE_ARGUMENT;

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
    Load(PathBuf),
}

/// Returns what this process is asked to do, if it was started to be a probe.
pub(super) fn task() -> Option<Task> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != PROBE_ARGUMENT {
        return None;
    }
    Some(arguments.next().map_or(Task::Handshake, |path| Task::Load(path.into())))
}
