//! The threads of one generation. Only they run its code, and they run nothing else.
//!
//! `dlclose` unmaps a library only if no live thread holds a thread-local destructor of it. So
//! a generation gets threads of its own, which are joined before its library is closed.
//!
//! A bay is closed in three steps, by the generation that owns it:
//!
//! 1. [`Bay::drop_objects`] drops, on the bay's threads, every object of the plugin that the
//!    host still holds.
//! 2. The plugin's own `close` runs, and the wakers of the plugin are dropped, on the bay too.
//! 3. [`Bay::join`] ends the threads and waits until the kernel does not list them any more.

use std::{
    fmt,
    io::{self, ErrorKind},
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::{JoinError, JoinSet},
    time::timeout,
};

use hotbay_config::MAX_THREADS;
use hotbay_core::FOREVER;
use hotbay_loader::BayThreads;

use super::{object_registry::ObjectRegistry, relay::WakeDispatcher};

/// The configuration of a bay.
#[derive(Debug, Clone)]
pub struct BayConfig {
    /// The plugin's name, which appears in the names of the threads.
    pub name: String,
    /// The number of threads that poll the plugin's futures, at most [`MAX_THREADS`]. More threads are added for sync
    /// functions, which block.
    pub threads: NonZeroUsize,
}

/// The threads of one generation, as a runtime of their own.
pub struct Bay {
    /// Taken out only by `join` and `drop`, which end the bay.
    runtime: Option<Runtime>,
    handle: Handle,
    threads: BayThreads,
    objects: ObjectRegistry,
    dispatcher: Arc<WakeDispatcher>,
}

impl Bay {
    /// Starts the threads of a bay.
    ///
    /// # Errors
    /// If the system does not start as many threads.
    pub fn open(config: &BayConfig) -> io::Result<Self> {
        Self::open_for(config, BayThreads::default())
    }

    /// Starts the threads of a build, and adds them to `threads`.
    pub(crate) fn open_for(config: &BayConfig, threads: BayThreads) -> io::Result<Self> {
        let entered = threads.clone();
        let mut builder = Builder::new_multi_thread();
        builder
            .worker_threads(config.threads.get())
            .thread_name(format!("bay-{}", config.name))
            .on_thread_start(move || entered.enter())
            .on_thread_stop(BayThreads::leave)
            .enable_time();
        let runtime = start(&mut builder, config.threads)?;
        let handle = runtime.handle().clone();
        let dispatcher = WakeDispatcher::start(&handle);
        Ok(Self {
            runtime: Some(runtime),
            handle,
            threads,
            objects: ObjectRegistry::default(),
            dispatcher,
        })
    }

    /// Returns the runtime on which everything that runs code of the plugin is to be spawned.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(crate) fn dispatcher(&self) -> &Arc<WakeDispatcher> {
        &self.dispatcher
    }

    /// Returns the number of the bay's threads that are alive.
    pub(crate) fn threads(&self) -> usize {
        self.threads.alive()
    }

    pub(crate) fn objects(&self) -> &ObjectRegistry {
        &self.objects
    }

    /// Runs `code` on a thread of this bay.
    ///
    /// # Errors
    /// If `code` panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        code: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        self.handle.spawn(async move { code() }).await
    }

    /// Drops, on a thread of this bay, the objects of the plugin that the host still holds.
    ///
    /// Returns the number of objects that could not be dropped within the limit, because a
    /// call into them has not returned.
    pub(crate) async fn drop_objects(&self, limit: Duration) -> usize {
        let mut drops = JoinSet::new();
        let all = async {
            loop {
                for object in self.objects.take() {
                    drops.spawn_on(async move { object.drop_object().await }, self.handle());
                }
                // An object that was making another one when it was dropped has registered that
                // one by then, so look again until there is none.
                if drops.join_next().await.is_none() {
                    break;
                }
            }
        };
        // The objects that were not dropped in time are still in the set.
        drop(timeout(limit, all).await);
        drops.len()
    }

    /// Ends the threads, and blocks the caller until they have ended or the limit is over.
    ///
    /// Returns the number of threads that did not end.
    pub(crate) fn join(mut self, limit: Duration) -> usize {
        let until = Instant::now() + limit.min(FOREVER);
        self.dispatcher.stop();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(limit);
        }
        loop {
            // The kernel may list a joined thread in /proc for a moment longer, so look again.
            let alive = self.threads.alive();
            if alive == 0 || Instant::now() >= until {
                return alive;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Bay {
    /// Ends a bay that was not joined because loading failed: it holds nothing of a plugin.
    fn drop(&mut self) {
        self.dispatcher.stop();
        if let Some(runtime) = self.runtime.take() {
            // Dropping a runtime waits for its threads, and panics on a thread of another
            // runtime, where blocking is not allowed.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Bay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bay").finish_non_exhaustive()
    }
}

/// Starts a runtime with this number of threads.
///
/// # Errors
/// If the system does not start as many threads.
fn start(builder: &mut Builder, threads: NonZeroUsize) -> io::Result<Runtime> {
    // tokio panics if a thread does not start, and leaves behind those that did. So as many threads
    // as it will need are started before, and ended.
    check_threads(threads)?;
    // Something else may have taken the threads meanwhile.
    catch_unwind(AssertUnwindSafe(|| builder.build())).unwrap_or_else(|_| {
        Err(io::Error::new(ErrorKind::WouldBlock, "the system starts no further thread"))
    })
}

/// Starts a number of threads, and ends them when all are running.
fn check_threads(threads: NonZeroUsize) -> io::Result<()> {
    if threads.get() > MAX_THREADS {
        let message =
            format!("{threads} threads are more than {MAX_THREADS}, the limit of a plugin");
        return Err(io::Error::new(ErrorKind::InvalidInput, message));
    }
    thread::scope(|scope| {
        let mut held = Vec::with_capacity(threads.get());
        for _ in 0..threads.get() {
            let (release, wait) = mpsc::channel::<()>();
            let wait = move || _ = wait.recv();
            thread::Builder::new().name("bay-check".to_owned()).spawn_scoped(scope, wait)?;
            held.push(release);
        }
        // Dropping the senders ends the threads, also after an error.
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bay() -> Bay {
        let threads = NonZeroUsize::new(2).unwrap();
        Bay::open(&BayConfig { name: "test".to_owned(), threads }).unwrap()
    }

    #[test]
    fn a_joined_bay_leaves_no_thread() {
        assert_eq!(bay().join(Duration::from_secs(5)), 0);
    }

    #[test]
    fn more_threads_than_there_can_be_are_an_error() {
        let config = |threads| BayConfig {
            name: "test".to_owned(),
            threads: NonZeroUsize::new(threads).unwrap(),
        };
        let error = Bay::open(&config(usize::MAX)).unwrap_err().to_string();
        assert!(error.contains("more than 1024, the limit"), "{error}");
        assert_eq!(Bay::open(&config(64)).unwrap().join(Duration::from_secs(5)), 0);
    }

    #[tokio::test]
    async fn a_bay_can_be_dropped_where_nobody_may_wait() {
        let bay = bay();
        bay.run(|| ()).await.unwrap();
        drop(bay);
    }

    #[test]
    fn a_thread_that_does_not_end_is_counted() {
        let bay = bay();
        let (release, held) = mpsc::channel::<()>();
        let (started, running) = mpsc::channel();
        bay.handle().spawn_blocking(move || {
            started.send(()).unwrap();
            held.recv().ok();
        });
        running.recv_timeout(Duration::from_secs(5)).unwrap();
        assert_eq!(bay.join(Duration::from_millis(50)), 1);
        drop(release);
    }
}
