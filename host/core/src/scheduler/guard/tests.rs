//! Panics wherever a task's code can run.

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
