//! The wall around an author's code: a panic stops here, and every poll is
//! entered with the plugin's runtime and the name of what runs.

use std::{
    any::Any,
    cell::RefCell,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use abi_stable::std_types::{RErr, ROk, RResult};
use async_ffi::{BorrowingFfiFuture, FutureExt};

use crate::{SchedulerError, abi::FfiError};

thread_local! {
    static CURRENT: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// The component or task whose code runs on this thread, if any.
pub(crate) fn current() -> Option<Arc<str>> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// Runs an author's code in place; a panic becomes an error.
pub(crate) fn call<T>(
    id: &Arc<str>,
    code: impl FnOnce() -> Result<T, SchedulerError>,
) -> Result<T, SchedulerError> {
    let _named = Named::new(id);
    match catch_unwind(AssertUnwindSafe(|| entered(code))) {
        Ok(result) => result,
        Err(panic) => Err(SchedulerError::TaskPanicked(message(panic))),
    }
}

/// A boxed future of an author's code, as an async method gives it.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, SchedulerError>> + Send + 'a>>;

/// A future of an author's code, as it crosses.
pub(crate) type Crossing<'a, T> = BorrowingFfiFuture<'a, RResult<T, FfiError>>;

/// Makes a future of an author's code ready to cross.
pub(crate) fn future<'a, T: 'a>(
    id: &Arc<str>,
    make: impl FnOnce() -> Boxed<'a, T>,
) -> Crossing<'a, T> {
    let made = call(id, || Ok(make()));
    Guarded { id: Arc::clone(id), inner: made.map(Some) }.into_ffi()
}

struct Guarded<'a, T> {
    id: Arc<str>,
    inner: Result<Option<Boxed<'a, T>>, SchedulerError>,
}

impl<T> Future for Guarded<'_, T> {
    type Output = RResult<T, FfiError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let polled = match &mut this.inner {
            Ok(Some(future)) => {
                let poll = call(&this.id, || Ok(future.as_mut().poll(cx)));
                match poll {
                    Ok(Poll::Pending) => return Poll::Pending,
                    Ok(Poll::Ready(result)) => result,
                    Err(panic) => Err(panic),
                }
            }
            Ok(None) => Err(SchedulerError::InvalidState("polled after its end".to_owned())),
            Err(error) => Err(error.clone()),
        };
        Poll::Ready(match polled {
            Ok(value) => ROk(value),
            Err(error) => RErr(error.into()),
        })
    }
}

impl<T> Drop for Guarded<'_, T> {
    fn drop(&mut self) {
        // A destructor of the author's may panic: async-ffi would abort the host.
        let Ok(future) = &mut self.inner else { return };
        let future = future.take();
        drop_quietly(&self.id, future);
    }
}

/// Drops a value of the author's; a panic in its destructor is logged and ends there.
pub(crate) fn drop_quietly<T>(id: &Arc<str>, value: T) {
    let dropped = call(id, || {
        drop(value);
        Ok(())
    });
    if let Err(error) = dropped {
        tracing::error!(%error, "a destructor panicked");
    }
}

/// What a panic said.
fn message(panic: Box<dyn Any + Send>) -> String {
    let text = if let Some(text) = panic.downcast_ref::<&'static str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "with a value that is not text".to_owned()
    };
    // The payload is the author's too: its destructor may panic again.
    if catch_unwind(AssertUnwindSafe(|| drop(panic))).is_err() {
        return format!("{text} (and again while the panic was dropped)");
    }
    text
}

/// Sets the name of what runs on this thread, and puts the former one back.
struct Named {
    before: Option<Arc<str>>,
}

impl Named {
    fn new(id: &Arc<str>) -> Self {
        let id = Some(Arc::clone(id));
        Self { before: CURRENT.try_with(|current| current.replace(id)).unwrap_or_default() }
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let before = self.before.take();
        // While a thread ends its locals may be gone already; then nothing reads them either.
        drop(CURRENT.try_with(|current| current.replace(before)));
    }
}

#[cfg(feature = "tokio")]
pub(crate) use crate::runtime::entered;

#[cfg(not(feature = "tokio"))]
pub(crate) fn entered<T>(code: impl FnOnce() -> T) -> T {
    code()
}
