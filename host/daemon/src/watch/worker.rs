//! The thread of a watch, which listens, scans, lets files settle, reads them, publishes and waits.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{
    Backend, EventUse, Shared, Snapshot, WatchConfig,
    listen::Listener,
    read::read,
    scan::scan,
    settle::Settler,
    wake::{Wanted, Woken},
    watched_folders::WatchedFolders,
};

/// The time after which the folder is scanned without an event, because some changes give none, such
/// as a renamed folder further up.
const SCAN_INTERVAL: Duration = Duration::from_secs(10);

/// The shortest time between two scans, because a file that is being written gives an event for each
/// piece.
const MIN_PAUSE: Duration = Duration::from_millis(20);

/// The state of the thread.
pub(super) struct Worker {
    folder: PathBuf,
    /// The folder in which relative paths begin, even if the current folder changes later.
    base: PathBuf,
    poll: Duration,
    events: EventUse,
    shared: Arc<Shared>,
    woken: Woken,
    publish: watch::Sender<Option<Arc<Snapshot>>>,
    settler: Settler,
    listener: Listener,
    /// The backend that was logged last.
    logged: Backend,
}

impl Worker {
    pub(super) fn new(
        config: WatchConfig,
        shared: Arc<Shared>,
        woken: Woken,
        publish: watch::Sender<Option<Arc<Snapshot>>>,
    ) -> io::Result<Self> {
        Ok(Self {
            folder: std::path::absolute(&config.folder)?,
            base: std::env::current_dir()?,
            poll: config.poll,
            events: config.events,
            woken,
            publish,
            settler: Settler::new(config.settle, Instant::now()),
            listener: Listener::new(shared.waker.clone(), config.events),
            shared,
            logged: Backend::Inotify,
        })
    }

    pub(super) fn run(mut self) {
        loop {
            let backend = self.turn();
            let at_most = if backend == Backend::Inotify { SCAN_INTERVAL } else { self.poll };
            let due = self.settler.next().map(|at| at.saturating_duration_since(Instant::now()));
            if self.woken.wait(due.map_or(at_most, |due| due.min(at_most))) == Wanted::Stop {
                return;
            }
            std::thread::sleep(MIN_PAUSE);
        }
    }

    fn turn(&mut self) -> Backend {
        let named = self.shared.files.lock().clone();
        let files: Vec<_> = named.iter().map(|file| self.base.join(file)).collect();
        let backend = self.listener.listen(|| WatchedFolders::of(&self.folder, &files));
        self.log_backend(&backend);
        self.settler.observe(&scan(&self.folder, &files), Instant::now());
        for (key, stamp) in self.settler.due(Instant::now()) {
            let content = read(&key, &stamp);
            self.settler.judge(&key, content, Instant::now());
        }
        if let Some(mut snapshot) = self.settler.publish(Instant::now()) {
            let as_named = |file: &PathBuf| {
                (file.clone(), snapshot.files.get(&self.base.join(file)).cloned().flatten())
            };
            snapshot.files = named.iter().map(as_named).collect();
            self.publish.send_replace(Some(Arc::new(snapshot)));
        }
        backend
    }

    /// Logs how changes are noticed, whenever that has changed.
    fn log_backend(&mut self, backend: &Backend) {
        if self.logged == *backend {
            return;
        }
        let folder: &Path = &self.folder;
        match backend {
            Backend::Polling { reason } if self.events == EventUse::WherePossible => {
                tracing::warn!(folder = %folder.display(), %reason, every = ?self.poll,
                    "changes of plugins are noticed by polling");
            }
            Backend::Polling { reason } => {
                tracing::info!(folder = %folder.display(), %reason, every = ?self.poll,
                    "changes of plugins are noticed by polling");
            }
            Backend::Inotify => {
                tracing::info!(folder = %folder.display(), "changes of plugins are noticed at once");
            }
        }
        self.logged = backend.clone();
        *self.shared.backend.lock() = backend.clone();
    }
}
