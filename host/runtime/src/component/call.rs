//! Calls into an object of a plugin.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
};

use abi_stable::std_types::RResult;
use async_ffi::{BorrowingFfiFuture, ContextExt, FfiContext};
use hotbay_plugin_api::{
    SchedulerError,
    abi::{CallFuture, FfiError, Started},
};

use crate::{caller, lodger::Housed};

/// Calls a method of an object if it is still there.
pub(super) async fn call<T: Send, R>(
    housed: &Housed<T>,
    method: impl for<'a> FnOnce(&'a mut T) -> BorrowingFfiFuture<'a, RResult<R, FfiError>>,
) -> Result<R, SchedulerError> {
    let mut object = housed.lock().await;
    let object = object.as_mut().ok_or_else(unloaded)?;
    let mut future = method(object);
    let result = poll_fn(|cx| caller::calling(cx, |cx| Pin::new(&mut future).poll(cx))).await;
    Ok(result.into_result()?)
}

/// As [`call`], for a method that is polled within the call and often over then.
pub(super) async fn start<T: Send>(
    housed: &Housed<T>,
    method: impl for<'a> FnOnce(&'a mut T, &mut FfiContext<'_>) -> Started<'a> + Send,
) -> Result<(), SchedulerError> {
    let mut object = housed.lock().await;
    let object = object.as_mut().ok_or_else(unloaded)?;
    let method = move |cx: &mut FfiContext<'_>| method(object, cx);
    Ok(Call::New(Some(method)).await.into_result()?)
}

fn unloaded() -> SchedulerError {
    SchedulerError::InvalidState("its plugin was unloaded".to_owned())
}

/// A call that begins at the first poll.
enum Call<'a, F> {
    /// The method is there until it is called.
    New(Option<F>),
    Going(CallFuture<'a>),
}

/// Nothing in it is pinned: the method is moved into its call, and the future is a pointer.
impl<F> Unpin for Call<'_, F> {}

impl<'a, F: FnOnce(&mut FfiContext<'_>) -> Started<'a>> Future for Call<'a, F> {
    type Output = RResult<(), FfiError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::New(method) => {
                let Some(method) = method.take() else { return Poll::Pending };
                match caller::calling(cx, |cx| cx.with_ffi_context(method)) {
                    Started::Done(result) => Poll::Ready(result),
                    Started::Pending(future) => {
                        // It has this task's waker: to poll it again now would be for nothing.
                        *self = Self::Going(future);
                        Poll::Pending
                    }
                }
            }
            Self::Going(future) => caller::calling(cx, |cx| Pin::new(future).poll(cx)),
        }
    }
}
