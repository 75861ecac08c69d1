//! Calls of methods of a plugin's objects.

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

use crate::{caller, object_handle::ObjectHandle};

/// Calls a method of an object, waits for its result, and copies that out of the plugin's memory
/// while the object, and so the library, is held.
///
/// # Errors
/// If the plugin was unloaded, or the method failed, or the result can't be copied.
pub(crate) async fn call<T: Send, R, U>(
    handle: &ObjectHandle<T>,
    method: impl for<'a> FnOnce(&'a mut T) -> BorrowingFfiFuture<'a, RResult<R, FfiError>>,
    copy: impl FnOnce(R) -> Result<U, SchedulerError>,
) -> Result<U, SchedulerError> {
    let mut object = handle.lock().await;
    let object = object.as_mut().ok_or_else(unloaded)?;
    let mut future = method(object);
    let result = poll_fn(|cx| caller::calling(cx, |cx| Pin::new(&mut future).poll(cx))).await;
    copy(result.into_result()?)
}

/// Like [`call`], for a method that is polled within the call, and that often returns at once.
pub(crate) async fn start<T: Send>(
    handle: &ObjectHandle<T>,
    method: impl for<'a> FnOnce(&'a mut T, &mut FfiContext<'_>) -> Started<'a> + Send,
) -> Result<(), SchedulerError> {
    let mut object = handle.lock().await;
    let object = object.as_mut().ok_or_else(unloaded)?;
    let method = move |cx: &mut FfiContext<'_>| method(object, cx);
    Ok(Call::New(Some(method)).await.into_result()?)
}

pub(crate) fn unloaded() -> SchedulerError {
    SchedulerError::InvalidState("its plugin was unloaded".to_owned())
}

/// The future of a call that begins at the first poll.
enum Call<'a, F> {
    /// The method, until it is called.
    New(Option<F>),
    /// The call that is under way.
    Pending(CallFuture<'a>),
}

/// Nothing in it is pinned: the method is moved out when it is called, and the future is a
/// pointer.
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
                        // The future has this task's waker already: polling it again now would
                        // be useless.
                        *self = Self::Pending(future);
                        Poll::Pending
                    }
                }
            }
            Self::Pending(future) => caller::calling(cx, |cx| Pin::new(future).poll(cx)),
        }
    }
}
