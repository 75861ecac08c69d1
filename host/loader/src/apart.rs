//! Blocking work away from the runtime.

use std::io;

use tokio::sync::oneshot;

/// Runs `work` on a thread of its own, which is gone when this is.
///
/// The runtime's own threads for blocking work stay around for a while, each with memory
/// that it took. Loading is rare and takes much at once, so its threads come and go.
pub(crate) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (done, ended) = oneshot::channel();
    let run = move || {
        if done.send(work()).is_err() {
            tracing::trace!("nobody waits for a load any more");
        }
    };
    let thread = std::thread::Builder::new().name("hotbay-load".to_owned()).spawn(run)?;
    let ended = ended.await;
    // It has nothing left to do but to end.
    thread.join().map_err(|_| io::Error::other("a panic while loading"))?;
    ended.map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_work_is_done_elsewhere_and_its_panic_is_an_error() {
        let here = std::thread::current().id();
        assert_ne!(apart(|| std::thread::current().id()).await.unwrap(), here);
        assert!(apart(|| panic!("on purpose")).await.is_err());
    }
}
