//! The plugin's own tokio runtime.
//!
//! A plugin links its own copy of tokio, which knows nothing of the host's
//! runtime. So the plugin has a small one, in which every poll of its code runs,
//! and which is shut down when the host closes the plugin, before the library is
//! unmapped.
//!
//! A thread asks for the runtime once and remembers the answer, so that a poll takes
//! no lock. What it remembers is a thread-local of the plugin: it goes with the thread,
//! and a bay's threads are joined before the library is unmapped. A thread that goes on
//! after [`close`] stands in a runtime that has shut down, and tokio itself says so to
//! whoever sets a timer there.

use std::{
    cell::OnceCell,
    mem,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::runtime::{Builder, Handle, Runtime};

/// How long the runtime's own threads get to end at close.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

enum State {
    Unused,
    Running(Runtime),
    Closed,
}

static STATE: Mutex<State> = Mutex::new(State::Unused);

/// How the calling thread runs the plugin's code.
enum Place {
    /// The thread stands in the plugin's runtime until it ends.
    Inside,
    /// The thread belongs to another runtime of the same copy of tokio, because the plugin
    /// is linked into its host: it enters for each call, and leaves again.
    Visits(Handle),
    /// There is no runtime to enter.
    Outside,
}

thread_local! {
    static PLACE: OnceCell<Place> = const { OnceCell::new() };
}

/// Runs `code` inside the plugin's runtime, which starts at the first call.
///
/// If the system gives no thread for it, `code` runs outside of any runtime, and tokio
/// itself then says what is missing.
pub(crate) fn entered<T>(code: impl FnOnce() -> T) -> T {
    let visits = PLACE.try_with(|place| match place.get_or_init(place_of_this_thread) {
        Place::Visits(handle) => Some(handle.clone()),
        Place::Inside | Place::Outside => None,
    });
    // A thread whose locals are gone is ending: so is its place in the runtime.
    let handle = visits.unwrap_or_default();
    let _guard = handle.as_ref().map(Handle::enter);
    code()
}

fn place_of_this_thread() -> Place {
    let Some(handle) = handle() else { return Place::Outside };
    if Handle::try_current().is_ok() {
        return Place::Visits(handle);
    }
    // Never left again: nobody else uses this copy of tokio on this thread, and the
    // thread-local in which tokio keeps the handle goes with the thread.
    mem::forget(handle.enter());
    Place::Inside
}

fn handle() -> Option<Handle> {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    if matches!(*state, State::Unused) {
        // One worker drives sockets and timers and what the plugin spawns; the
        // plugin's own futures are polled on its bay's threads.
        let built = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(4)
            .thread_name("hotbay-plugin-io")
            .enable_all()
            .build();
        match built {
            Ok(runtime) => *state = State::Running(runtime),
            Err(error) => tracing::error!(%error, "cannot start the plugin's runtime"),
        }
    }
    match &*state {
        State::Running(runtime) => Some(runtime.handle().clone()),
        State::Unused | State::Closed => None,
    }
}

/// Ends the runtime with all that the plugin spawned on it.
pub(crate) fn close() {
    let state = {
        let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
        mem::replace(&mut *state, State::Closed)
    };
    if let State::Running(runtime) = state {
        runtime.shutdown_timeout(CLOSE_LIMIT);
    }
}
