//! Who is loaded, where its code lies, and which thread is whose: readable by a signal handler.
//!
//! A handler may run at any instruction of any thread, so all of it is atomics and one
//! thread-local cell without a destructor: no lock, no memory to allocate.

mod text;

use std::{
    cell::Cell,
    fs::File,
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    Doing, lossy,
    note::{LoadMark, RECORD, Who, boot_id},
};
use text::Text;

/// How many builds can be known at once. More run as well; nobody is blamed for them.
pub(super) const COUNT: usize = 256;

static SLOTS: [Slot; COUNT] = [const { Slot::new() }; COUNT];

/// Where loads are marked. Not for the handler.
static NOTE: Mutex<Option<File>> = Mutex::new(None);

thread_local! {
    /// The slot of the plugin whose bay this thread is of.
    static OWN: Cell<Option<usize>> = const { Cell::new(None) };
}

const FREE: u8 = 0;
const FILLING: u8 = 1;
const LOADING: u8 = 2;
const RUNNING: u8 = 3;

/// One build.
pub(super) struct Slot {
    state: AtomicU8,
    start: AtomicUsize,
    end: AtomicUsize,
    /// `{"plugin":…}`, for the note.
    pub(super) who: Text<400>,
    /// `plugin … (…)`, for people.
    pub(super) label: Text<128>,
}

/// A build that is in this process. Its slot is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Resident {
    slot: usize,
}

/// What tells a thread of a bay whose it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark(Option<usize>);

impl Slot {
    const fn new() -> Self {
        Self {
            state: AtomicU8::new(FREE),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            who: Text::new(),
            label: Text::new(),
        }
    }

    /// None if nothing is in it.
    pub(super) fn doing(&self) -> Option<Doing> {
        match self.state.load(Ordering::Acquire) {
            LOADING => Some(Doing::Loading),
            RUNNING => Some(Doing::Running),
            _ => None,
        }
    }
}

impl Resident {
    /// A build that is about to be loaded. None if there are too many.
    pub(crate) fn loading(plugin: &str, hash: &str, file: &Path) -> Option<Self> {
        let taken = SLOTS.iter().position(|slot| {
            let take =
                slot.state.compare_exchange(FREE, FILLING, Ordering::AcqRel, Ordering::Relaxed);
            take.is_ok()
        });
        let resident = Self { slot: taken? };
        let slot = &SLOTS[resident.slot];
        let who = who(plugin, hash, file);
        let short = hash.get(..12).unwrap_or(hash);
        slot.who.set(&serde_json::to_string(&who).unwrap_or_default());
        slot.label.set(&format!("plugin {} (sha256 {short})", who.plugin));
        slot.start.store(0, Ordering::Relaxed);
        slot.end.store(0, Ordering::Relaxed);
        slot.state.store(LOADING, Ordering::Release);
        resident.mark_load(Some(who));
        Some(resident)
    }

    /// It is loaded, and its code lies here.
    pub(crate) fn loaded(&self, code: Range<usize>) {
        let slot = &SLOTS[self.slot];
        slot.start.store(code.start, Ordering::Relaxed);
        slot.end.store(code.end, Ordering::Relaxed);
        slot.state.store(RUNNING, Ordering::Release);
        self.mark_load(None);
    }

    /// What its bay's threads are to be told.
    pub(crate) fn mark(&self) -> Mark {
        Mark(Some(self.slot))
    }

    /// Keeps the slot for the rest of the process, for a build that stays mapped.
    pub(crate) fn keep(resident: Option<Self>) {
        std::mem::forget(resident);
    }

    /// Writes into the file that a load is under way, or that it is not.
    fn mark_load(&self, who: Option<Who>) {
        let note = NOTE.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(note) = note.as_ref() else { return };
        let mut record = who.map_or_else(Vec::new, |who| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let at = u64::try_from(since.as_millis()).unwrap_or_default();
            let mut line = serde_json::to_vec(&LoadMark { boot: boot_id(), at, who });
            line.iter_mut().for_each(|line| line.push(b'\n'));
            line.unwrap_or_default()
        });
        record.resize(RECORD, 0);
        if let Err(error) = note.write_all_at(&record, ((self.slot + 1) * RECORD) as u64) {
            tracing::debug!(%error, "a load can't be marked");
        }
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        SLOTS[self.slot].state.store(FREE, Ordering::Release);
        self.mark_load(None);
    }
}

impl Mark {
    /// For threads that are nobody's.
    pub(crate) const NONE: Self = Self(None);

    /// Makes the calling thread that plugin's.
    pub(crate) fn enter(self) {
        OWN.set(self.0);
    }
}

/// What fits into a record and can be read again.
fn who(plugin: &str, hash: &str, file: &Path) -> Who {
    let mut who =
        Who { plugin: plugin.chars().take(64).collect(), hash: hash.to_owned(), file: lossy(file) };
    if who.file.len() > 150 {
        let name = file.file_name().map_or_else(String::new, |name| lossy(name.as_ref()));
        who.file = name.chars().take(150).collect();
    }
    who
}

/// Marks loads in this file from now on.
pub(super) fn begin(note: File) {
    *NOTE.lock().unwrap_or_else(PoisonError::into_inner) = Some(note);
}

pub(super) fn end() {
    *NOTE.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// The build in whose code this address is.
pub(super) fn of_code(address: usize) -> Option<&'static Slot> {
    SLOTS.iter().find(|slot| {
        slot.doing().is_some()
            && address >= slot.start.load(Ordering::Relaxed)
            && address < slot.end.load(Ordering::Relaxed)
    })
}

/// The build whose thread this is.
pub(super) fn of_thread() -> Option<&'static Slot> {
    let slot = OWN.try_with(Cell::get).ok()??;
    SLOTS.get(slot).filter(|slot| slot.doing().is_some())
}
