//! What the plugins folder holds, once it is stable.
//!
//! Events of the system only wake the watch; what is true is what it then sees when it looks.
//! So it makes no difference how a file came there: written in place (`cp`), renamed (`mv`,
//! `rsync`, editors), unlinked and made anew (`install`), hard-linked (`cargo build`), or
//! together with its whole folder, which may be missing for a while or be a link that is
//! switched.
//!
//! A file counts when it has not changed for [`WatchConfig::settle`] and, being a library, has
//! all the parts that its headers speak of. Until then the [`Snapshot`] shows what was there
//! before. Hidden files, backups and the temporary names of copying programs don't count.
//!
//! ```text
//! wake (inotify, a timer, nudge) → look (names, metadata) → settle (pure) → read (hash) → Snapshot
//! ```

mod fingerprint;
mod listen;
mod look;
mod read;
mod route;
mod settle;
mod snapshot;
#[cfg(test)]
mod tests;
mod wake;
mod whole;
mod worker;

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

pub use fingerprint::{Content, Fingerprint};
pub use listen::Backend;
pub use snapshot::{FolderState, Snapshot};

use wake::Waker;
use worker::Worker;

/// What to watch, and how.
#[derive(Debug, Clone)]
pub struct WatchConfig {
    /// The plugins folder. It need not be there.
    pub folder: PathBuf,
    /// Other files to watch, such as the host's configuration. Links are followed.
    pub files: Vec<PathBuf>,
    /// How long a file has to be unchanged before it counts.
    pub settle: Duration,
    /// How often to look where the system gives no events.
    pub poll: Duration,
    /// Whether to use the system's events at all.
    pub events: Events,
}

/// Whether the system's events are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Events {
    /// Wherever they are to be had and can be relied on.
    WherePossible,
    /// Not at all: the folder is looked at every [`WatchConfig::poll`].
    Never,
}

impl WatchConfig {
    /// 300 ms without a change, and a look each second where there are no events.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            files: Vec::new(),
            settle: Duration::from_millis(300),
            poll: Duration::from_secs(1),
            events: Events::WherePossible,
        }
    }
}

/// Watches a folder and some files. Ends when it is dropped.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    latest: watch::Receiver<Option<Arc<Snapshot>>>,
    given: Option<Arc<Snapshot>>,
}

/// What the watch and its thread both know.
#[derive(Debug)]
struct Shared {
    waker: Waker,
    files: Mutex<Vec<PathBuf>>,
    backend: Mutex<Backend>,
}

impl Watch {
    /// Starts to watch, on a thread of its own: a network's file system may keep it waiting.
    ///
    /// A folder that is missing is waited for.
    ///
    /// # Errors
    /// If there is no thread to be had, or no current folder that a relative path could begin at.
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

    /// Waits until what is there differs from what was given last, and gives it. The first
    /// call gives what is there at the beginning.
    ///
    /// Files that change together are given together, if they settle within
    /// [`WatchConfig::settle`] of each other. Nothing is lost if the future is dropped before
    /// it is done.
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
                tracing::error!("the watch over the plugins folder ended; changes go unnoticed");
                std::future::pending::<()>().await;
            }
        }
    }

    /// How changes are noticed at present.
    pub fn backend(&self) -> Backend {
        self.shared.backend.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has it look again at once.
    pub fn nudge(&self) {
        self.shared.waker.wake();
    }

    /// Replaces the list of files beside the folder.
    pub fn set_files(&self, files: Vec<PathBuf>) {
        *self.shared.files.lock().unwrap_or_else(PoisonError::into_inner) = files;
        self.shared.waker.wake();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Not joined: its thread may just be waiting for a slow file system.
        self.shared.waker.stop();
    }
}
