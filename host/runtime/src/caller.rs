//! The task of the host that calls into a plugin on this thread.
//!
//! If a plugin waits for the host within such a call, the host can wake the calling task itself.
//! The waker of that task is the host's own, so that no waker of the plugin has to be kept and
//! no [relay](super::relay) is needed. The plugin says whether it waits in that way; if it is
//! wrong, only its own call is woken too late.

use std::{
    cell::Cell,
    task::{Context, Waker},
};

thread_local! {
    static CALLER: Caller = const { Caller { waker: Cell::new(None), is_calling: Cell::new(false) } };
}

struct Caller {
    /// The waker of the last call. It is kept because the next call nearly always comes from
    /// the same task, and cloning the waker would change its reference count each time.
    waker: Cell<Option<Waker>>,
    /// Set while a call is under way.
    is_calling: Cell<bool>,
}

/// Calls into a plugin on behalf of the task of `cx`.
pub(crate) fn calling<T>(cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
    let _calling = CallGuard::begin(cx.waker());
    poll(cx)
}

/// Returns the waker of the task that calls into a plugin on this thread, if one does.
pub(crate) fn waker() -> Option<Waker> {
    CALLER.with(|caller| {
        let waker = caller.waker.take();
        caller.waker.set(waker.clone());
        waker.filter(|_| caller.is_calling.get())
    })
}

/// Marks this thread as calling into a plugin until the guard is dropped.
struct CallGuard;

impl CallGuard {
    fn begin(waker: &Waker) -> Self {
        CALLER.with(|caller| {
            let known = caller.waker.take().filter(|known| known.will_wake(waker));
            caller.waker.set(Some(known.unwrap_or_else(|| waker.clone())));
            caller.is_calling.set(true);
        });
        Self
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        // If this call was nested in another one, the outer one counts as ended, too: whatever
        // waits there uses the relay.
        CALLER.with(|caller| caller.is_calling.set(false));
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, task::Wake};

    use super::*;

    struct Task;

    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn a_caller_is_known_until_its_call_returns() {
        let task = Waker::from(Arc::new(Task));
        let mut cx = Context::from_waker(&task);
        assert!(waker().is_none());
        assert!(calling(&mut cx, |_| waker()).is_some_and(|it| it.will_wake(&task)));
        assert!(waker().is_none());
    }

    #[test]
    fn the_next_task_that_calls_takes_the_place_of_the_one_before() {
        let (one, other) = (Waker::from(Arc::new(Task)), Waker::from(Arc::new(Task)));
        calling(&mut Context::from_waker(&one), |_| ());
        let known = calling(&mut Context::from_waker(&other), |_| waker());
        assert!(known.is_some_and(|it| it.will_wake(&other)));
    }
}
