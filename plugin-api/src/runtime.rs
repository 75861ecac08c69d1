//! The plugin's own tokio runtime.
//!
//! A plugin links its own copy of tokio, which knows nothing of the host's
//! runtime. So the plugin has a small one, entered at every poll and shut down
//! when the host closes the plugin, before the library is unmapped.

use std::{
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

/// Runs `code` inside the plugin's runtime, which starts at the first call.
///
/// After [`close`], or if the system gives no thread for it, `code` runs outside
/// of any runtime, and tokio itself then says what is missing.
pub(crate) fn entered<T>(code: impl FnOnce() -> T) -> T {
    let handle = handle();
    let _guard = handle.as_ref().map(Handle::enter);
    code()
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
        std::mem::replace(&mut *state, State::Closed)
    };
    if let State::Running(runtime) = state {
        runtime.shutdown_timeout(CLOSE_LIMIT);
    }
}
