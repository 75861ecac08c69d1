//! Filtering the events that need a scan.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use notify::{
    Event, EventKind,
    event::{AccessKind, AccessMode, ModifyKind},
};

use super::{Handler, Waker, WatchedFolders};

/// Returns a handler that wakes the watch for events in these folders that may matter.
pub(super) fn handler(
    folders: WatchedFolders,
    may_have_missed: Arc<AtomicBool>,
    waker: Waker,
) -> Handler {
    Box::new(move |event| match event {
        Ok(event) if !event.need_rescan() => {
            if is_reading(&event.kind) {
                return;
            }
            // The folder itself was removed, or another one has taken its name.
            if is_moving(&event.kind) && event.paths.iter().any(|path| folders.contains(path)) {
                may_have_missed.store(true, Ordering::Release);
            }
            if event.paths.iter().any(|path| folders.concerns(path)) {
                waker.wake();
            }
        }
        // The queue has overflowed or can't be read, so any event may have been lost.
        Ok(Event { .. }) | Err(_) => {
            may_have_missed.store(true, Ordering::Release);
            waker.wake();
        }
    })
}

/// Returns `true` for events that a scan itself causes, which must not cause another one.
fn is_reading(kind: &EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) => true,
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => false,
    }
}

fn is_moving(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use notify::event::{CreateKind, DataChange, Flag, RemoveKind};

    use super::*;

    /// Returns if one event wakes the watch, and if events may have been missed.
    fn outcome(event: impl FnOnce(&Path) -> notify::Result<Event>) -> (bool, bool) {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let (waker, woken) = Waker::new();
        let may_have_missed = Arc::new(AtomicBool::new(false));
        handler(WatchedFolders::of(&folder, &[]), Arc::clone(&may_have_missed), waker)(event(
            &folder,
        ));
        (woken.has_token(), may_have_missed.load(Ordering::Acquire))
    }

    fn at(kind: EventKind, name: &str) -> impl FnOnce(&Path) -> notify::Result<Event> + use<'_> {
        move |folder| Ok(Event::new(kind).add_path(folder.join(name)))
    }

    const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));

    #[test]
    fn only_changes_of_files_that_count_wake_the_watch() {
        assert_eq!(outcome(at(WRITTEN, "libx.so")), (true, false));
        assert_eq!(outcome(at(WRITTEN, ".libx.so.Ab12")), (false, false));
        let opened = EventKind::Access(AccessKind::Open(AccessMode::Any));
        assert_eq!(outcome(at(opened, "libx.so")), (false, false));
    }

    #[test]
    fn a_lost_event_or_folder_makes_the_watch_begin_anew() {
        let gone = EventKind::Remove(RemoveKind::Folder);
        assert_eq!(outcome(|folder| Ok(Event::new(gone).add_path(folder.into()))), (true, true));
        let came = EventKind::Create(CreateKind::Folder);
        assert_eq!(outcome(|folder| Ok(Event::new(came).add_path(folder.into()))), (true, true));
        let overflow = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert_eq!(outcome(|_| Ok(overflow)), (true, true));
        assert_eq!(outcome(|_| Err(notify::Error::generic("broken"))), (true, true));
    }
}
