//! The builds in this process, their code and their threads, readable by a signal handler.
//!
//! A handler can run at any instruction of any thread, so everything that it reads is an atomic
//! or a thread-local cell without a destructor. There is no lock and no allocation.
//!
//! A slot goes through the states `FREE` → `FILLING` → `LOADING` → `RUNNING` → `FREE`. The thread
//! that wins the exchange `FREE` → `FILLING` owns the slot through its [`SlotGuard`] and makes
//! all further transitions. A handler reads the fields of a slot only in the states `LOADING` and
//! `RUNNING`, whose `Release` stores publish the fields. A handler that reads while a slot is
//! reused may see the fields of either build; that is the price for the absence of a lock.

use std::{
    cell::Cell,
    fs::File,
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
    sync::atomic::{AtomicU8, AtomicUsize, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use hotbay_store::short_hash;
use parking_lot::Mutex;

use super::{
    Phase, lossy,
    record::{BuildId, COUNT, LoadRecord, RECORD_BYTES, boot_id},
    signal_text::SignalText,
};

static SLOTS: [Slot; COUNT] = [const { Slot::new() }; COUNT];

/// The report that loads are recorded in. Signal handlers do not use it.
static REPORT: Mutex<Option<File>> = Mutex::new(None);

thread_local! {
    /// The slot of the plugin whose bay this thread belongs to.
    static OF_THREAD: Cell<Option<usize>> = const { Cell::new(None) };
}

const FREE: u8 = 0;
const FILLING: u8 = 1;
const LOADING: u8 = 2;
const RUNNING: u8 = 3;

/// One build in this process.
pub(super) struct Slot {
    state: AtomicU8,
    start: AtomicUsize,
    end: AtomicUsize,
    /// The [`BuildId`] as JSON, for the record.
    pub(super) build: SignalText<400>,
    /// `plugin … (…)`, for people.
    pub(super) label: SignalText<128>,
}

/// Owns the slot of a build. Dropping the guard frees the slot.
#[derive(Debug)]
pub(crate) struct SlotGuard {
    slot: usize,
}

/// Identifies the slot of a plugin to the threads of its bay. The default is no slot.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SlotId(Option<usize>);

impl Slot {
    const fn new() -> Self {
        Self {
            state: AtomicU8::new(FREE),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            build: SignalText::new(),
            label: SignalText::new(),
        }
    }

    /// Returns what the host does with the build. Returns `None` if the slot is free.
    pub(super) fn phase(&self) -> Option<Phase> {
        match self.state.load(Ordering::Acquire) {
            LOADING => Some(Phase::Loading),
            RUNNING => Some(Phase::Running),
            _ => None,
        }
    }
}

impl SlotGuard {
    /// Takes a slot for a build that is about to be loaded. Returns `None` if all slots are in use.
    pub(crate) fn loading(plugin: &str, hash: &str, file: &Path) -> Option<Self> {
        let taken = SLOTS.iter().position(|slot| {
            let take =
                slot.state.compare_exchange(FREE, FILLING, Ordering::AcqRel, Ordering::Relaxed);
            take.is_ok()
        });
        let guard = Self { slot: taken? };
        let slot = &SLOTS[guard.slot];
        let build = build_id(plugin, hash, file);
        let short = short_hash(hash);
        slot.build.set(&serde_json::to_string(&build).unwrap_or_default());
        slot.label.set(&format!("plugin {} (sha256 {short})", build.plugin));
        slot.start.store(0, Ordering::Relaxed);
        slot.end.store(0, Ordering::Relaxed);
        slot.state.store(LOADING, Ordering::Release);
        guard.record_load(Some(build));
        Some(guard)
    }

    /// Records that the build is loaded, and where its code lies.
    pub(crate) fn loaded(&self, code: Range<usize>) {
        let slot = &SLOTS[self.slot];
        slot.start.store(code.start, Ordering::Relaxed);
        slot.end.store(code.end, Ordering::Relaxed);
        slot.state.store(RUNNING, Ordering::Release);
        self.record_load(None);
    }

    /// Returns the id of the slot, for the threads of the bay.
    pub(crate) fn id(&self) -> SlotId {
        SlotId(Some(self.slot))
    }

    /// Keeps the slot for the rest of the process, for a build that stays mapped.
    pub(crate) fn keep(guard: Option<Self>) {
        std::mem::forget(guard);
    }

    /// Records in the report that the build is being loaded, or that no load is under way.
    fn record_load(&self, build: Option<BuildId>) {
        let report = REPORT.lock();
        let Some(report) = report.as_ref() else { return };
        let mut record = build.map_or_else(Vec::new, |who| {
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let at = u64::try_from(since_epoch.as_millis()).unwrap_or_default();
            let mut line = serde_json::to_vec(&LoadRecord { boot: boot_id(), at, who });
            line.iter_mut().for_each(|line| line.push(b'\n'));
            line.unwrap_or_default()
        });
        record.resize(RECORD_BYTES, 0);
        if let Err(error) = report.write_all_at(&record, ((self.slot + 1) * RECORD_BYTES) as u64) {
            tracing::debug!(%error, "a load can't be recorded");
        }
    }
}

impl Drop for SlotGuard {
    fn drop(&mut self) {
        SLOTS[self.slot].state.store(FREE, Ordering::Release);
        self.record_load(None);
    }
}

impl SlotId {
    /// Marks the calling thread as one of the plugin's bay.
    pub(crate) fn enter(self) {
        OF_THREAD.set(self.0);
    }
}

/// Creates the id of a build with texts short enough to fit into a record.
fn build_id(plugin: &str, hash: &str, file: &Path) -> BuildId {
    const MAX_PLUGIN: usize = 64;
    const MAX_FILE: usize = 150;
    let plugin = plugin.chars().take(MAX_PLUGIN).collect();
    let mut id = BuildId { plugin, hash: hash.to_owned(), file: lossy(file) };
    if id.file.len() > MAX_FILE {
        let name = file.file_name().map_or_else(String::new, |name| lossy(name.as_ref()));
        id.file = name.chars().take(MAX_FILE).collect();
    }
    id
}

/// Records loads in this report from now on.
pub(super) fn begin(report: File) {
    *REPORT.lock() = Some(report);
}

/// Stops recording loads.
pub(super) fn end() {
    *REPORT.lock() = None;
}

/// Returns the slot of the build whose code contains this address.
pub(super) fn of_code(address: usize) -> Option<&'static Slot> {
    SLOTS.iter().find(|slot| {
        slot.phase().is_some()
            && address >= slot.start.load(Ordering::Relaxed)
            && address < slot.end.load(Ordering::Relaxed)
    })
}

/// Returns the slot of the build whose bay the calling thread belongs to.
pub(super) fn of_thread() -> Option<&'static Slot> {
    let slot = OF_THREAD.try_with(Cell::get).ok()??;
    SLOTS.get(slot).filter(|slot| slot.phase().is_some())
}
