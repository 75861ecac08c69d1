//! The threads of one generation: they run its code, and nothing else does.
//!
//! `dlclose` unmaps a library only if no live thread holds a thread-local
//! destructor of it. So a generation gets threads of its own, and they are
//! joined before it is closed.

use std::{
    fmt,
    num::NonZeroUsize,
    path::Path,
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::{JoinError, JoinSet},
    time::timeout,
};

use hotbay_loader::ThreadMark;

use super::relay::Dispatch;

/// How a bay is furnished.
#[derive(Debug, Clone)]
pub struct BayConfig {
    /// The plugin's name; its threads are called so.
    pub name: String,
    /// How many threads poll its tasks; more are added for its sync tasks.
    pub threads: NonZeroUsize,
}

/// The runtime of one generation.
pub struct Bay {
    /// Taken out only by what ends the bay.
    runtime: Option<Runtime>,
    handle: Handle,
    threads: Arc<Mutex<Vec<u32>>>,
    lodgers: Lodgers,
    dispatch: Arc<Dispatch>,
}

/// Something made by the plugin that a host object holds.
#[async_trait]
pub(crate) trait Lodging: Send + Sync {
    /// Drops it on the calling thread, as soon as no call into it goes on.
    async fn evict(&self);
}

/// What is to be evicted when a bay closes.
#[derive(Clone, Default)]
pub(crate) struct Lodgers(Arc<Mutex<Vec<Weak<dyn Lodging>>>>);

impl Lodgers {
    /// Notes something to evict at close.
    pub(crate) fn note(&self, lodger: Weak<dyn Lodging>) {
        let mut lodgers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lodgers.retain(|known| known.strong_count() > 0);
        lodgers.push(lodger);
    }

    /// Takes out what is still there.
    fn take(&self) -> Vec<Arc<dyn Lodging>> {
        let lodgers = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        lodgers.iter().filter_map(Weak::upgrade).collect()
    }
}

impl fmt::Debug for Lodgers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lodgers").finish_non_exhaustive()
    }
}

impl Bay {
    /// Starts the threads.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn open(config: &BayConfig) -> std::io::Result<Self> {
        Self::open_for(config, ThreadMark::LINKED)
    }

    /// Starts the threads of a build: they bear its mark, for the case that one brings the
    /// process down.
    pub(crate) fn open_for(config: &BayConfig, mark: ThreadMark) -> std::io::Result<Self> {
        let threads = Arc::new(Mutex::new(Vec::new()));
        let of_thread = Arc::clone(&threads);
        let runtime = Builder::new_multi_thread()
            .worker_threads(config.threads.get())
            .thread_name(format!("bay-{}", config.name))
            .on_thread_start(move || {
                mark.enter();
                if let Some(id) = own_thread_id() {
                    of_thread.lock().unwrap_or_else(PoisonError::into_inner).push(id);
                }
            })
            .on_thread_stop(ThreadMark::leave)
            .enable_time()
            .build()?;
        let handle = runtime.handle().clone();
        let dispatch = Dispatch::start(&handle);
        Ok(Self { runtime: Some(runtime), handle, threads, lodgers: Lodgers::default(), dispatch })
    }

    /// Where to spawn what runs code of this bay's plugin.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(crate) fn dispatch(&self) -> &Arc<Dispatch> {
        &self.dispatch
    }

    /// How many of its threads live.
    pub(crate) fn threads(&self) -> usize {
        let ids = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        ids.iter().filter(|id| is_alive(**id)).count()
    }

    pub(crate) fn lodgers(&self) -> &Lodgers {
        &self.lodgers
    }

    /// Runs `code` on a thread of this bay.
    ///
    /// # Errors
    /// If it panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        code: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        self.handle.spawn(async move { code() }).await
    }

    /// Drops on a thread of this bay what the plugin made and somebody still holds.
    /// Gives how many things could not be dropped within the limit, because a call
    /// into them goes on.
    pub(crate) async fn evict_all(&self, limit: Duration) -> usize {
        let mut evictions = JoinSet::new();
        let all = async {
            loop {
                for lodger in self.lodgers.take() {
                    evictions.spawn_on(async move { lodger.evict().await }, self.handle());
                }
                // One that was making another one when it was evicted has noted it by then,
                // so look again until nothing came.
                if evictions.join_next().await.is_none() {
                    break;
                }
            }
        };
        // What is left when the time is over is in the set still.
        drop(timeout(limit, all).await);
        evictions.len()
    }

    /// Ends the threads; blocks the caller until they ended or the limit is over.
    /// Gives how many did not end.
    pub(crate) fn join(mut self, limit: Duration) -> usize {
        let until = Instant::now() + limit;
        self.dispatch.stop();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(limit);
        }
        let ids = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        loop {
            // A joined thread may stand in /proc for a moment longer, so look again.
            let alive = ids.iter().filter(|id| is_alive(**id)).count();
            if alive == 0 || Instant::now() >= until {
                return alive;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Bay {
    /// Nothing of a plugin is left in a bay that is dropped, not joined: loading failed.
    fn drop(&mut self) {
        self.dispatch.stop();
        if let Some(runtime) = self.runtime.take() {
            // A runtime that is just dropped waits for its threads, and panics where it
            // must not wait: that is on every thread of another runtime.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Bay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bay").finish_non_exhaustive()
    }
}

/// The kernel's number of the calling thread.
fn own_thread_id() -> Option<u32> {
    let link = std::fs::read_link("/proc/thread-self").ok()?;
    link.file_name()?.to_str()?.parse().ok()
}

fn is_alive(thread: u32) -> bool {
    Path::new("/proc/self/task").join(thread.to_string()).exists()
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

    #[tokio::test]
    async fn a_bay_can_be_dropped_where_nobody_may_wait() {
        let bay = bay();
        bay.run(|| ()).await.unwrap();
        drop(bay);
    }

    #[test]
    fn a_thread_that_does_not_end_is_counted() {
        let bay = bay();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (started, running) = std::sync::mpsc::channel();
        bay.handle().spawn_blocking(move || {
            started.send(()).unwrap();
            held.recv().ok();
        });
        running.recv_timeout(Duration::from_secs(5)).unwrap();
        assert_eq!(bay.join(Duration::from_millis(50)), 1);
        drop(release);
    }
}
