//! The watch's thread: listen, look, settle, read, publish, wait.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{
    Backend, Events, Shared, Snapshot, WatchConfig,
    listen::Listener,
    look::look,
    read::read,
    route::Places,
    settle::Settler,
    wake::{Wanted, Woken},
};

/// A look in spite of no event: for what no event tells, such as a folder further up that is
/// renamed.
const LOOK_ANYWAY: Duration = Duration::from_secs(10);

/// The shortest time from one look to the next: a file that is being written gives an event
/// for each piece.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) struct Worker {
    folder: PathBuf,
    /// Where relative paths begin, whatever the current folder is later.
    base: PathBuf,
    poll: Duration,
    events: Events,
    shared: Arc<Shared>,
    woken: Woken,
    publish: watch::Sender<Option<Arc<Snapshot>>>,
    settler: Settler,
    listener: Listener,
    said: Backend,
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
            said: Backend::Inotify,
        })
    }

    pub(super) fn run(mut self) {
        loop {
            let backend = self.turn();
            let at_most = if backend == Backend::Inotify { LOOK_ANYWAY } else { self.poll };
            let due = self.settler.next().map(|at| at.saturating_duration_since(Instant::now()));
            if self.woken.wait(due.map_or(at_most, |due| due.min(at_most))) == Wanted::Stop {
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn turn(&mut self) -> Backend {
        let named = self.shared.files.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let files: Vec<_> = named.iter().map(|file| self.base.join(file)).collect();
        let backend = self.listener.listen(|| Places::of(&self.folder, &files));
        self.say(&backend);
        self.settler.observe(&look(&self.folder, &files), Instant::now());
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

    /// Says in the log, once, how changes are noticed.
    fn say(&mut self, backend: &Backend) {
        if self.said == *backend {
            return;
        }
        let folder: &Path = &self.folder;
        match backend {
            Backend::Polling { reason } if self.events == Events::WherePossible => {
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
        self.said = backend.clone();
        *self.shared.backend.lock().unwrap_or_else(PoisonError::into_inner) = backend.clone();
    }
}
