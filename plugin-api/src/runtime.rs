//! The plugin's own tokio runtime.
//!
//! A plugin links its own copy of tokio, which knows nothing of the host's
//! runtime. So the plugin has a small one, in which every poll of its code runs,
//! and which is shut down when the host closes the plugin, before the library is
//! unmapped.
//!
//! The runtime is *unused* until the first call, then *running*, then *closed*. A thread looks it up
//! once, under the only lock, and remembers the result, so that a poll takes no lock. The memory is a
//! thread-local of the plugin, which ends with the thread; the threads of a bay are joined before the
//! library is unmapped. A thread that continues after [`close`] is in a runtime that has shut down:
//! tokio itself reports that when the thread sets a timer.

use std::{
    cell::OnceCell,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::runtime::{Builder, Handle, Runtime};

/// The time that the runtime's own threads get to end at close.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

enum State {
    Unused,
    Running(Runtime),
    Closed,
}

static STATE: Mutex<State> = Mutex::new(State::Unused);

/// How the calling thread is related to the plugin's runtime.
enum Membership {
    /// The thread is in the plugin's runtime until it ends.
    Inside,
    /// The thread belongs to another runtime of the same copy of tokio, because the plugin
    /// is linked into its host. It enters the plugin's runtime for each call, and leaves it again.
    EntersEachCall(Handle),
    /// There is no runtime to enter.
    Outside,
}

thread_local! {
    static MEMBERSHIP: OnceCell<Membership> = const { OnceCell::new() };
}

/// Runs `code` inside the plugin's runtime, which starts at the first call.
///
/// If the runtime's thread can't be started, `code` runs outside of any runtime, and tokio reports
/// that when a runtime is needed.
pub(crate) fn entered<T>(code: impl FnOnce() -> T) -> T {
    let enters =
        MEMBERSHIP.try_with(|membership| match membership.get_or_init(membership_of_this_thread) {
            Membership::EntersEachCall(handle) => Some(handle.clone()),
            Membership::Inside | Membership::Outside => None,
        });
    // A thread whose locals were dropped is ending, and is not in the runtime any more.
    let handle = enters.unwrap_or_default();
    let _guard = handle.as_ref().map(Handle::enter);
    code()
}

fn membership_of_this_thread() -> Membership {
    let Some(handle) = handle() else { return Membership::Outside };
    if Handle::try_current().is_ok() {
        return Membership::EntersEachCall(handle);
    }
    // Never left again: nothing else uses this copy of tokio on this thread, and the thread-local in
    // which tokio keeps the handle is dropped when the thread ends.
    mem::forget(handle.enter());
    Membership::Inside
}

/// Locks the state of the runtime. A panic under the lock leaves the state valid.
fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns a handle of the runtime, and starts the runtime if it is unused.
fn handle() -> Option<Handle> {
    let mut state = state();
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
            Err(error) => tracing::error!(%error, "can't start the plugin's runtime"),
        }
    }
    match &*state {
        State::Running(runtime) => Some(runtime.handle().clone()),
        State::Unused | State::Closed => None,
    }
}

/// Shuts the runtime down, with everything that the plugin has spawned on it.
pub(crate) fn close() {
    let state = {
        let mut state = state();
        mem::replace(&mut *state, State::Closed)
    };
    if let State::Running(runtime) = state {
        runtime.shutdown_timeout(CLOSE_LIMIT);
    }
}
