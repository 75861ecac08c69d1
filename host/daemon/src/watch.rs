//! Watching the plugins folder, and reporting its content once it is stable.
//!
//! Events of the system only wake the watch. The truth is what a scan of the folder shows after
//! that. So it makes no difference how a file came into the folder: written in place (`cp`), renamed
//! (`mv`, `rsync`, editors), unlinked and created again (`install`), hard-linked (`cargo build`), or
//! together with its whole folder, which may be missing for a while or be a link that is switched.
//!
//! A file is settled when it has not changed for [`WatchConfig::settle`] and, if it is a library, has
//! all the parts that its headers describe. Until then the [`Snapshot`] shows its previous content.
//! Hidden files, backups and the temporary names of copying programs are ignored.
//!
//! ```text
//! wake (inotify, a timer, nudge) → scan (names, metadata) → settle (pure) → read (hash) → Snapshot
//! ```

mod fingerprint;
mod listen;
mod read;
mod scan;
mod settle;
mod snapshot;
#[cfg(test)]
mod tests;
mod wake;
mod watched_folders;
mod whole;
mod worker;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::watch;

pub use fingerprint::{Content, Fingerprint};
pub use listen::Backend;
pub use snapshot::{FolderState, Snapshot};

use wake::Waker;
use worker::Worker;

/// The configuration of a watch.
#[derive(Debug, Clone)]
pub struct WatchConfig {
    /// The plugins folder, which may be missing.
    pub folder: PathBuf,
    /// Other files to watch, such as the host's configuration. Links are followed.
    pub files: Vec<PathBuf>,
    /// The time for which a file has to be unchanged before it is settled.
    pub settle: Duration,
    /// The time between two scans where the system gives no events.
    pub poll: Duration,
    /// Decides if the system's events are used.
    pub events: EventUse,
}

/// Decides if a watch uses the system's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventUse {
    /// Events are used wherever they are available and reliable.
    WherePossible,
    /// Events are never used: the folder is scanned every [`WatchConfig::poll`].
    Never,
}

impl WatchConfig {
    /// Makes a configuration with a settle time of 300 ms, and a scan each second where there are no
    /// events.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            files: Vec::new(),
            settle: Duration::from_millis(300),
            poll: Duration::from_secs(1),
            events: EventUse::WherePossible,
        }
    }
}

/// Watches a folder and some files until it is dropped.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    latest: watch::Receiver<Option<Arc<Snapshot>>>,
    given: Option<Arc<Snapshot>>,
}

/// The state that the watch and its thread share.
///
/// Lock order: the two locks are never held at the same time.
#[derive(Debug)]
struct Shared {
    waker: Waker,
    files: Mutex<Vec<PathBuf>>,
    backend: Mutex<Backend>,
}

impl Watch {
    /// Starts to watch, on a thread of its own, because a network file system may block.
    ///
    /// A missing folder is waited for.
    ///
    /// # Errors
    /// If the thread can't be started, or there is no current folder for relative paths.
    pub fn start(config: WatchConfig) -> io::Result<Self> {
        let (waker, woken) = Waker::new();
        let shared = Arc::new(Shared {
            waker,
            files: Mutex::new(config.files.clone()),
            backend: Mutex::new(Backend::Inotify),
        });
        let (publish, latest) = watch::channel(None);
        let worker = Worker::new(config, Arc::clone(&shared), woken, publish)?;
        std::thread::Builder::new().name("hotbay-watch".to_owned()).spawn(|| worker.run())?;
        Ok(Self { shared, latest, given: None })
    }

    /// Waits until the snapshot differs from the one that was returned last, and returns it. The
    /// first call returns the first snapshot.
    ///
    /// Files that change together appear in one snapshot if they settle within
    /// [`WatchConfig::settle`] of each other. No change is lost if the future is dropped before it
    /// completes.
    pub async fn changed(&mut self) -> Snapshot {
        loop {
            let latest = self.latest.borrow_and_update().clone();
            if let Some(latest) = latest
                && self.given.as_ref() != Some(&latest)
            {
                self.given = Some(Arc::clone(&latest));
                return Snapshot::clone(&latest);
            }
            if self.latest.changed().await.is_err() {
                tracing::error!(
                    "the thread that watches the plugins folder ended; changes are not noticed any more"
                );
                std::future::pending::<()>().await;
            }
        }
    }

    /// Returns how changes are noticed at present.
    pub fn backend(&self) -> Backend {
        self.shared.backend.lock().clone()
    }

    /// Requests a scan at once.
    pub fn nudge(&self) {
        self.shared.waker.wake();
    }

    /// Replaces the list of files beside the folder.
    pub fn set_files(&self, files: Vec<PathBuf>) {
        *self.shared.files.lock() = files;
        self.shared.waker.wake();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Not joined, because the thread may be blocked in a slow file system.
        self.shared.waker.stop();
    }
}
