//! Running a future to its end on the test's own thread.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future to its end on this thread.
///
/// With the feature `tokio` it runs inside the plugin's runtime, as in a host.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match crate::guard::entered(|| future.as_mut().poll(&mut cx)) {
            Poll::Ready(result) => return result,
            Poll::Pending => thread::park(),
        }
    }
}
