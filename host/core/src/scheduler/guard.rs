//! Keeps a task's panics inside the task.

use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use hotbay_plugin_api::SchedulerError;

/// The futures that the methods of the task traits return.
pub(super) type TaskFuture<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, SchedulerError>> + Send + 'a>>;

/// One call of a task. A panic in the call, in a poll or in the drop becomes an error.
pub struct Guarded<'a, T = ()>(Call<'a, T>);

impl<T> std::fmt::Debug for Guarded<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guarded").finish_non_exhaustive()
    }
}

enum Call<'a, T> {
    Going(TaskFuture<'a, T>),
    Panicked(SchedulerError),
    Over,
}

/// Calls a task. `AssertUnwindSafe` holds because whoever panicked is failed
/// and gets nothing more to do but its `shutdown`.
pub fn guarded<'a, T>(call: impl FnOnce() -> TaskFuture<'a, T>) -> Guarded<'a, T> {
    match caught(call) {
        Ok(future) => Guarded(Call::Going(future)),
        Err(error) => Guarded(Call::Panicked(error)),
    }
}

/// Calls a task for something that it answers at once.
pub(super) fn caught<T>(call: impl FnOnce() -> T) -> Result<T, SchedulerError> {
    catch_unwind(AssertUnwindSafe(call)).map_err(panicked)
}

impl<T> Future for Guarded<'_, T> {
    type Output = Result<T, SchedulerError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match std::mem::replace(&mut self.0, Call::Over) {
            Call::Going(mut future) => {
                match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
                    Ok(Poll::Pending) => {
                        self.0 = Call::Going(future);
                        Poll::Pending
                    }
                    Ok(Poll::Ready(result)) => Poll::Ready(discard(future).and(result)),
                    Err(panic) => {
                        // The first panic is the one to tell about.
                        drop(discard(future));
                        Poll::Ready(Err(panicked(panic)))
                    }
                }
            }
            Call::Panicked(error) => Poll::Ready(Err(error)),
            Call::Over => Poll::Pending,
        }
    }
}

impl<T> Drop for Guarded<'_, T> {
    fn drop(&mut self) {
        if let Call::Going(future) = std::mem::replace(&mut self.0, Call::Over)
            && let Err(error) = discard(future)
        {
            tracing::warn!(%error, "a turn that was cancelled panicked in its drop");
        }
    }
}

fn discard<T>(future: TaskFuture<'_, T>) -> Result<(), SchedulerError> {
    caught(|| drop(future))
}

fn panicked(panic: Box<dyn Any + Send>) -> SchedulerError {
    let message = match panic.downcast_ref::<&'static str>() {
        Some(text) => (*text).to_owned(),
        None => panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "no message".to_owned()),
    };
    // Dropping what was thrown runs foreign code once more.
    if catch_unwind(AssertUnwindSafe(|| drop(panic))).is_err() {
        tracing::warn!("what was thrown by a panic panicked in its drop");
    }
    SchedulerError::TaskPanicked(message)
}

#[cfg(test)]
mod tests {
    use std::{future::pending, task::Waker};

    use super::*;

    /// Polls once.
    fn poll(call: &mut Guarded<'_>) -> Poll<Result<(), SchedulerError>> {
        Pin::new(call).poll(&mut Context::from_waker(Waker::noop()))
    }

    fn told(message: &str) -> Poll<Result<(), SchedulerError>> {
        Poll::Ready(Err(SchedulerError::TaskPanicked(message.to_owned())))
    }

    #[test]
    fn a_result_passes_through() {
        assert_eq!(poll(&mut guarded(|| Box::pin(async { Ok(()) }))), Poll::Ready(Ok(())));
        let finished = Err(SchedulerError::Finished);
        let mut call = guarded(|| Box::pin(async { Err(SchedulerError::Finished) }));
        assert_eq!(poll(&mut call), Poll::Ready(finished));
    }

    #[test]
    fn a_panic_in_the_call_itself_is_an_error() {
        assert_eq!(poll(&mut guarded(|| panic!("no"))), told("no"));
    }

    #[test]
    fn a_panic_while_it_runs_is_an_error_with_its_message() {
        let mut call = guarded(|| Box::pin(async { panic!("row {}", 3) }));
        assert_eq!(poll(&mut call), told("row 3"));
        let mut call = guarded(|| Box::pin(async { std::panic::panic_any(7_u8) }));
        assert_eq!(poll(&mut call), told("no message"));
    }

    struct PanicsInDrop;

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }

    #[test]
    fn a_panic_when_it_is_dropped_at_its_await_point_goes_no_further() {
        let mut call = guarded(|| {
            let bomb = PanicsInDrop;
            Box::pin(async move {
                pending::<()>().await;
                drop(bomb);
                Ok(())
            })
        });
        assert!(poll(&mut call).is_pending());
        drop(call);
    }

    #[test]
    fn what_is_thrown_may_panic_itself() {
        let mut call = guarded(|| Box::pin(async { std::panic::panic_any(PanicsInDrop) }));
        assert_eq!(poll(&mut call), told("no message"));
    }
}
