//! Runs blocking work on a thread of its own, away from the async runtime.

use std::{io, thread};

use tokio::sync::oneshot;

/// Runs `work` on a new thread and waits until that thread has ended.
///
/// The runtime keeps its own threads for blocking work alive for a while, and with them the
/// memory that they allocated. A load is rare and allocates much, so its thread is not kept.
///
/// # Errors
/// If the thread cannot be started, or `work` panics.
pub(crate) async fn run_on_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (sender, receiver) = oneshot::channel();
    let run = move || {
        if sender.send(work()).is_err() {
            tracing::trace!("the caller does not wait for the load any more");
        }
    };
    let thread = thread::Builder::new().name("hotbay-load".to_owned()).spawn(run)?;
    let result = receiver.await;
    // The thread has sent its result or panicked, so joining it does not block for long.
    thread.join().map_err(|_| io::Error::other("a panic while loading"))?;
    result.map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_work_is_done_elsewhere_and_its_panic_is_an_error() {
        let here = thread::current().id();
        assert_ne!(run_on_thread(|| thread::current().id()).await.unwrap(), here);
        assert!(run_on_thread(|| panic!("on purpose")).await.is_err());
    }
}
