//! The guard around an author's code, which catches panics, enters the plugin's runtime for every
//! call and poll, and sets the name of the component or task that runs.

use std::{
    any::Any,
    cell::Cell,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll, Waker},
};

use abi_stable::std_types::{RErr, ROk, RResult};
use async_ffi::{BorrowingFfiFuture, FfiContext, FutureExt};

use crate::{
    SchedulerError,
    abi::{FfiError, Started},
};

thread_local! {
    static CURRENT: Cell<Option<Arc<str>>> = const { Cell::new(None) };
    /// The two pointers of the waker with which the host polls on this thread, to compare
    /// others with.
    static WAKER: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// The component or task whose code runs on this thread, if any.
pub(crate) fn current() -> Option<Arc<str>> {
    CURRENT
        .try_with(|current| {
            let name = current.take();
            current.set(name.clone());
            name
        })
        .ok()
        .flatten()
}

/// The name of a component or task, which moves to the thread that runs its code and
/// back: every event passes here, and a clone would count up and down each time.
#[derive(Debug, Clone)]
pub(crate) struct Name(Option<Arc<str>>);

impl From<Arc<str>> for Name {
    fn from(name: Arc<str>) -> Self {
        Self(Some(name))
    }
}

/// Runs an author's code in place; a panic becomes an error.
pub(crate) fn call<T>(
    id: &Arc<str>,
    code: impl FnOnce() -> Result<T, SchedulerError>,
) -> Result<T, SchedulerError> {
    within(&mut Name(Some(Arc::clone(id))), code).and_then(|result| result)
}

/// Like [`call`], for code whose own result has to be distinguished from a panic.
fn within<T>(name: &mut Name, code: impl FnOnce() -> T) -> Result<T, SchedulerError> {
    let _named = Named::new(name);
    caught(|| entered(code))
}

fn caught<T>(code: impl FnOnce() -> T) -> Result<T, SchedulerError> {
    catch_unwind(AssertUnwindSafe(code))
        .map_err(|panic| SchedulerError::TaskPanicked(message(panic)))
}

/// A boxed future of an author's code, as an async method returns it.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, SchedulerError>> + Send + 'a>>;

/// A future of an author's code, in the form in which it crosses the border.
pub(crate) type Crossing<'a, T> = BorrowingFfiFuture<'a, RResult<T, FfiError>>;

/// Wraps a future of an author's code so that it can cross the border.
pub(crate) fn future<'a, T: 'a>(
    name: &mut Name,
    make: impl FnOnce() -> Boxed<'a, T>,
) -> Crossing<'a, T> {
    let inner = within(name, make).map(Some);
    Guarded { name: name.clone(), inner }.into_ffi()
}

/// Makes a future of an author's code and polls it once, so that one which is ready at
/// once, as most answers to an event are, need not cross at all.
pub(crate) fn start<'a>(
    name: &mut Name,
    make: impl FnOnce() -> Boxed<'a, ()>,
    cx: &mut FfiContext<'_>,
) -> Started<'a> {
    // Outside of the code that may panic: a destructor that panics while a panic
    // unwinds ends the process.
    let mut future = None;
    let polled = within(name, || {
        let future: &mut Option<Boxed<'a, ()>> = &mut future;
        let poll = cx.with_context(|cx| poll_in_call(future.insert(make()).as_mut(), cx));
        if poll.is_ready() {
            drop_caught(future.take());
        }
        poll
    });
    match polled {
        Ok(Poll::Ready(Ok(()))) => Started::Done(ROk(())),
        Ok(Poll::Ready(Err(error))) => Started::Done(RErr(error.into())),
        Ok(Poll::Pending) => {
            Started::Pending(Guarded { name: name.clone(), inner: Ok(future) }.into_ffi())
        }
        Err(panic) => {
            drop_quietly(name, future);
            Started::Done(RErr(panic.into()))
        }
    }
}

/// Polls with the waker that the host gave, and lets it be [recognized](is_of_call) meanwhile.
fn poll_in_call<F: Future + ?Sized>(
    future: Pin<&mut F>,
    cx: &mut TaskContext<'_>,
) -> Poll<F::Output> {
    struct Reset((usize, usize));
    impl Drop for Reset {
        fn drop(&mut self) {
            WAKER.set(self.0);
        }
    }
    let _reset = Reset(WAKER.replace(pointers(cx.waker())));
    future.poll(cx)
}

/// Returns `true` if this is the waker with which the host polls on this thread at the moment.
pub(crate) fn is_of_call(waker: &Waker) -> bool {
    WAKER.get() == pointers(waker)
}

fn pointers(waker: &Waker) -> (usize, usize) {
    (waker.data().addr(), std::ptr::from_ref(waker.vtable()).addr())
}

struct Guarded<'a, T> {
    name: Name,
    inner: Result<Option<Boxed<'a, T>>, SchedulerError>,
}

impl<T> Future for Guarded<'_, T> {
    type Output = RResult<T, FfiError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let Self { name, inner } = &mut *self;
        let polled = match inner {
            Ok(Some(future)) => match within(name, || poll_in_call(future.as_mut(), cx)) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(result)) => result,
                Err(panic) => Err(panic),
            },
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
        let Self { name, inner: Ok(future) } = self else { return };
        let future = future.take();
        drop_quietly(name, future);
    }
}

/// Drops a value of the author's; a panic in its destructor is logged and ends there.
pub(crate) fn drop_quietly<T>(name: &mut Name, value: T) {
    if let Err(error) = within(name, || drop_caught(value)) {
        tracing::error!(%error, "a destructor panicked");
    }
}

/// Like [`drop_quietly`], for callers that have entered the author's code already.
fn drop_caught<T>(value: T) {
    if let Err(error) = caught(|| drop(value)) {
        tracing::error!(%error, "a destructor panicked");
    }
}

/// Returns the text of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("with a value that is not text")
}

/// Adds what to do to the text of tokio's panic in a plugin that has no runtime.
fn with_hint(text: &str, has_runtime: bool) -> String {
    let is_tokios =
        ["there is no reactor running", "no current Tokio", "there is no timer running"]
            .iter()
            .any(|known| text.contains(known));
    if !is_tokios || has_runtime {
        return text.to_owned();
    }
    format!("{text}; enable the feature `tokio` of hotbay-plugin-api in the plugin's Cargo.toml")
}

/// Returns the message of a panic.
fn message(panic: Box<dyn Any + Send>) -> String {
    let text = with_hint(panic_text(&*panic), cfg!(feature = "tokio"));
    // The payload is the author's as well, and its destructor may panic again.
    if catch_unwind(AssertUnwindSafe(|| drop(panic))).is_err() {
        return format!("{text} (and again while the panic was dropped)");
    }
    text
}

/// Sets the name of what runs on this thread, and puts the former one back.
///
/// While it lives, the former name lies where the present one was taken from.
struct Named<'a>(&'a mut Name);

impl<'a> Named<'a> {
    fn new(name: &'a mut Name) -> Self {
        swap(name);
        Self(name)
    }
}

impl Drop for Named<'_> {
    fn drop(&mut self) {
        swap(self.0);
    }
}

/// Exchanges the name that stands on this thread with another.
fn swap(name: &mut Name) {
    // While a thread ends its locals may be gone already; then nothing reads them either,
    // and each name stays where it is.
    let _gone = CURRENT.try_with(|current| name.0 = current.replace(name.0.take()));
}

#[cfg(feature = "tokio")]
pub(crate) use crate::runtime::entered;

#[cfg(not(feature = "tokio"))]
pub(crate) fn entered<T>(code: impl FnOnce() -> T) -> T {
    code()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_for_want_of_a_reactor_says_which_feature_to_enable() {
        let text =
            "there is no reactor running, must be called from the context of a Tokio 1.x runtime";
        let hinted = with_hint(text, false);
        assert!(hinted.starts_with(text) && hinted.contains("feature `tokio`"), "{hinted}");
        assert_eq!(with_hint(text, true), text);
        assert_eq!(with_hint("out of paper", false), "out of paper");
    }
}
