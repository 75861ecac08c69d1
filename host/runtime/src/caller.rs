//! The task of the host that calls into a plugin on this thread.
//!
//! Where a plugin waits for the host within such a call, the host can wake the task that
//! called: that waker is the host's own, so that nothing of the plugin's is kept and no
//! [relay](super::relay) is needed. The plugin says whether it waits in that way; if it is
//! wrong about it, only its own call is woken too late.

use std::{
    cell::Cell,
    task::{Context, Waker},
};

thread_local! {
    static CALLER: Caller = const { Caller { waker: Cell::new(None), calls: Cell::new(false) } };
}

struct Caller {
    /// The waker of the last call, kept because the next one is nearly always of the same
    /// task: a clone would count up and down each time.
    waker: Cell<Option<Waker>>,
    /// Whether the call goes on.
    calls: Cell<bool>,
}

/// Polls into a plugin in the name of this task.
pub(crate) fn calling<T>(cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
    let _calling = Calling::begin(cx.waker());
    poll(cx)
}

/// The waker of the task that calls into a plugin on this thread, if one does.
pub(crate) fn waker() -> Option<Waker> {
    CALLER.with(|caller| {
        let waker = caller.waker.take();
        caller.waker.set(waker.clone());
        waker.filter(|_| caller.calls.get())
    })
}

struct Calling;

impl Calling {
    fn begin(waker: &Waker) -> Self {
        CALLER.with(|caller| {
            let known = caller.waker.take().filter(|known| known.will_wake(waker));
            caller.waker.set(Some(known.unwrap_or_else(|| waker.clone())));
            caller.calls.set(true);
        });
        Self
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        // If a call stood within another one, the outer one goes on as if it were none: what
        // waits there takes the relay.
        CALLER.with(|caller| caller.calls.set(false));
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
