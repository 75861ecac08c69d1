//! Listening to the system's events, where they are available.

mod filter;
mod network;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use notify::{ErrorKind, RecursiveMode, Watcher};

use super::{EventUse, wake::Waker, watched_folders::WatchedFolders};

/// The way in which a watch notices changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// The system gives an event for each change.
    Inotify,
    /// The folder is scanned regularly.
    Polling {
        /// Why events can't be used.
        reason: String,
    },
}

/// The time after which a refusal of the system is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// The number of attempts if the folders change while listening to them begins.
const MAX_ATTEMPTS: usize = 3;

/// Wakes the watch when a change may matter.
pub(super) struct Listener {
    waker: Waker,
    events: EventUse,
    make: MakeWatcher,
    folders: WatchedFolders,
    /// Set when events may have been missed: after an overflow, or when a folder was removed.
    may_have_missed: Arc<AtomicBool>,
    state: State,
}

type Handler = Box<dyn Fn(notify::Result<notify::Event>) + Send>;
type MakeWatcher = fn(Handler) -> notify::Result<Box<dyn Watcher + Send>>;

enum State {
    Deaf,
    /// The watcher gives events until it is dropped.
    Listening(#[expect(dead_code, reason = "held for its events")] Box<dyn Watcher + Send>),
    /// The system refused to watch some or all of the folders.
    Refused {
        reason: String,
        at: Instant,
        _rest: Option<Box<dyn Watcher + Send>>,
    },
}

impl Listener {
    pub(super) fn new(waker: Waker, events: EventUse) -> Self {
        Self::with(waker, events, |handler| {
            let watcher = notify::RecommendedWatcher::new(handler, notify::Config::default())?;
            Ok(Box::new(watcher))
        })
    }

    fn with(waker: Waker, events: EventUse, make: MakeWatcher) -> Self {
        let may_have_missed = Arc::new(AtomicBool::new(false));
        Self {
            waker,
            events,
            make,
            folders: WatchedFolders::default(),
            may_have_missed,
            state: State::Deaf,
        }
    }

    /// Listens to events of these folders from now on.
    ///
    /// To be called before a scan, so that no change is missed between the two.
    pub(super) fn listen(&mut self, folders: impl Fn() -> WatchedFolders) -> Backend {
        if self.events == EventUse::Never {
            return Backend::Polling { reason: "so configured".to_owned() };
        }
        for _ in 0..MAX_ATTEMPTS {
            let folders = folders();
            if let Some(reason) = folders.folders().find_map(network::reason) {
                self.state = State::Deaf;
                return Backend::Polling { reason };
            }
            if self.is_done_with(&folders) {
                break;
            }
            self.begin(folders);
        }
        match &self.state {
            State::Refused { reason, .. } => Backend::Polling { reason: reason.clone() },
            State::Listening(_) | State::Deaf => Backend::Inotify,
        }
    }

    fn is_done_with(&self, folders: &WatchedFolders) -> bool {
        let is_sure = self.folders == *folders && !self.may_have_missed.load(Ordering::Acquire);
        match &self.state {
            State::Deaf => false,
            State::Listening(_) => is_sure,
            State::Refused { at, .. } => is_sure && at.elapsed() < RETRY,
        }
    }

    /// Begins with a new watcher, because one whose folders were removed and created again misses
    /// events.
    fn begin(&mut self, folders: WatchedFolders) {
        self.state = State::Deaf;
        self.may_have_missed.store(false, Ordering::Release);
        let handler =
            filter::handler(folders.clone(), Arc::clone(&self.may_have_missed), self.waker.clone());
        let make = self.make;
        // The constructor panics if no thread can be started.
        let made = catch_unwind(AssertUnwindSafe(|| {
            let mut watcher = make(handler)?;
            let refused = folders.folders().find_map(|folder| refusal(watcher.as_mut(), folder));
            Ok::<_, notify::Error>((watcher, refused))
        }));
        let refused = |reason, rest| State::Refused { reason, at: Instant::now(), _rest: rest };
        self.state = match made {
            Ok(Ok((watcher, None))) => State::Listening(watcher),
            Ok(Ok((watcher, Some(reason)))) => refused(reason, Some(watcher)),
            Ok(Err(error)) => refused(describe(&error), None),
            Err(_) => refused("no thread could be started for inotify".to_owned(), None),
        };
        self.folders = folders;
    }
}

/// Begins to watch one folder. Returns the reason if the system refuses.
fn refusal(watcher: &mut dyn Watcher, folder: &Path) -> Option<String> {
    let error = watcher.watch(folder, RecursiveMode::NonRecursive).err()?;
    // The folder was removed just now. The folder above gives an event when it is back.
    let is_gone = if let ErrorKind::Io(io) = &error.kind {
        io.kind() == std::io::ErrorKind::NotADirectory
    } else {
        matches!(error.kind, ErrorKind::PathNotFound)
    };
    (!is_gone).then(|| describe(&error))
}

fn describe(error: &notify::Error) -> String {
    let code = if let ErrorKind::Io(io) = &error.kind { io.raw_os_error() } else { None };
    let what = match (&error.kind, code) {
        (ErrorKind::MaxFilesWatch, _) => {
            "no inotify watch is left for this user (fs.inotify.max_user_watches)".to_owned()
        }
        (_, Some(libc::EMFILE)) => {
            "no inotify instance is left for this user (fs.inotify.max_user_instances), or no \
             descriptor for this process"
                .to_owned()
        }
        (_, Some(libc::ENOSYS)) => "this system has no inotify".to_owned(),
        (ErrorKind::Io(io), _) => format!("inotify: {io}"),
        _ => format!("inotify: {error}"),
    };
    match error.paths.first() {
        Some(path) => format!("{what}, for {}", path.display()),
        None => what,
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("folders", &self.folders).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{io, path::PathBuf};

    use notify::{Config, EventHandler, WatcherKind};

    use super::*;

    /// A system with inotify, but no watch left in it.
    #[derive(Debug)]
    struct Full;

    impl Watcher for Full {
        fn new<F: EventHandler>(_: F, _: Config) -> notify::Result<Self> {
            Ok(Self)
        }

        fn watch(&mut self, path: &Path, _: RecursiveMode) -> notify::Result<()> {
            Err(notify::Error::new(ErrorKind::MaxFilesWatch).add_path(path.to_owned()))
        }

        fn unwatch(&mut self, _: &Path) -> notify::Result<()> {
            Ok(())
        }

        fn kind() -> WatcherKind {
            WatcherKind::NullWatcher
        }
    }

    fn reason_of(make: MakeWatcher) -> String {
        let folder = tempfile::tempdir().unwrap();
        let folders = || WatchedFolders::of(folder.path(), &[] as &[PathBuf]);
        let mut listener = Listener::with(Waker::new().0, EventUse::WherePossible, make);
        match listener.listen(folders) {
            Backend::Polling { reason } => reason,
            Backend::Inotify => panic!("it should not listen"),
        }
    }

    #[test]
    fn where_inotify_is_not_to_be_had_the_reason_is_said() {
        let no_instance = reason_of(|_| Err(io::Error::from_raw_os_error(libc::EMFILE).into()));
        assert!(no_instance.contains("max_user_instances"), "{no_instance}");
        let no_inotify = reason_of(|_| Err(io::Error::from_raw_os_error(libc::ENOSYS).into()));
        assert!(no_inotify.contains("has no inotify"), "{no_inotify}");
        let no_watch = reason_of(|_| Ok(Box::new(Full)));
        assert!(no_watch.contains("max_user_watches"), "{no_watch}");
        let no_thread = reason_of(|_| panic!("no thread"));
        assert!(no_thread.contains("thread"), "{no_thread}");
    }

    #[test]
    fn a_folder_that_is_watched_already_is_not_watched_anew() {
        let folder = tempfile::tempdir().unwrap();
        let folders = || WatchedFolders::of(folder.path(), &[] as &[PathBuf]);
        let mut listener = Listener::new(Waker::new().0, EventUse::WherePossible);
        assert_eq!(listener.listen(folders), Backend::Inotify);
        assert!(listener.is_done_with(&folders()));
        listener.may_have_missed.store(true, Ordering::Release);
        assert!(!listener.is_done_with(&folders()));
        assert_eq!(listener.listen(folders), Backend::Inotify);
        assert!(listener.is_done_with(&folders()));
    }
}
