//! The one note that a process leaves.

use std::{
    ffi::c_int,
    ptr::null_mut,
    sync::atomic::{AtomicI32, AtomicU8, Ordering},
};

use super::{
    super::{
        Doing,
        note::{EXIT, Line},
        signal_name,
        slots::{self, Slot},
    },
    frames, own_id,
};

/// Where the note goes; -1 for nowhere.
static NOTE: AtomicI32 = AtomicI32::new(-1);

/// Whose note it is. A child that a plugin forks has all of this as well, and is not the host.
static HOST: AtomicI32 = AtomicI32::new(-1);

/// This process's own memory as a file: reading it fails where reading memory would kill.
static MEMORY: AtomicI32 = AtomicI32::new(-1);

/// How far the one note is that a process leaves.
static STATE: AtomicU8 = AtomicU8::new(NOT_YET);
const NOT_YET: u8 = 0;
const UNDER_WAY: u8 = 1;
const DONE: u8 = 2;

/// How long a second thread that dies lets the first one finish its note, in milliseconds.
const PATIENCE: usize = 200;

/// Notes what this process dies of from now on.
pub(in super::super) fn begin(note: c_int) {
    NOTE.store(note, Ordering::Release);
}

/// Leaves no note any more.
pub(in super::super) fn end() {
    NOTE.store(-1, Ordering::Release);
}

/// What [`note`] needs: this process's memory as a file, and its number.
pub(super) fn prepare(memory: c_int, host: c_int) {
    MEMORY.store(memory, Ordering::Release);
    HOST.store(host, Ordering::Release);
}

/// Leaves a note, if it is the first. `culprit` is known by the code that failed; otherwise
/// it is asked whose thread this is, and then what called.
pub(super) fn note(signal: c_int, culprit: Option<&'static Slot>, stack: Option<usize>) {
    if HOST.load(Ordering::Acquire) != own_id() {
        return;
    }
    let first = STATE.compare_exchange(NOT_YET, UNDER_WAY, Ordering::AcqRel, Ordering::Acquire);
    if first.is_err() {
        // As soon as this thread goes on, the process is gone.
        for _ in 0..PATIENCE {
            if STATE.load(Ordering::Acquire) == DONE {
                break;
            }
            let pause = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
            // SAFETY: `pause` is there to be read, and nothing is to be written.
            unsafe { libc::nanosleep(&raw const pause, null_mut()) };
        }
        return;
    }
    let nearest = || frames::nearest(MEMORY.load(Ordering::Acquire), stack?);
    let culprit = culprit.or_else(slots::of_thread).or_else(nearest);
    let culprit = culprit.and_then(|slot| Some((slot, slot.doing()?)));
    leave_record(signal, culprit);
    if let Some(culprit) = culprit {
        say(signal, culprit);
    }
    STATE.store(DONE, Ordering::Release);
}

/// Takes the note back: the process did not die after all.
pub(super) fn take_back() {
    let file = NOTE.load(Ordering::Acquire);
    if file >= 0 && HOST.load(Ordering::Acquire) == own_id() {
        // SAFETY: one byte is there to be read.
        unsafe { libc::pwrite(file, [0u8].as_ptr().cast(), 1, 0) };
    }
    STATE.store(NOT_YET, Ordering::Release);
}

/// Not inlined, so that its line is off the stack when the next one comes.
#[inline(never)]
fn leave_record(signal: c_int, culprit: Option<(&Slot, Doing)>) {
    let file = NOTE.load(Ordering::Acquire);
    if file >= 0 {
        let line = record(signal, culprit);
        let line = line.as_bytes();
        // SAFETY: `line` is there to be read. A file that can't be written can't be helped.
        unsafe { libc::pwrite(file, line.as_ptr().cast(), line.len(), 0) };
    }
}

#[inline(never)]
fn say(signal: c_int, culprit: (&Slot, Doing)) {
    let line = message(signal, culprit);
    let line = line.as_bytes();
    // SAFETY: `line` is there to be read. Nobody may be listening, which can't be helped.
    unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
}

/// The handler's record, see `note`.
fn record(signal: c_int, culprit: Option<(&Slot, Doing)>) -> Line {
    let mut line = Line::new();
    line.text("{\"signal\":");
    line.number(u64::from(signal.unsigned_abs()));
    line.text(",\"at\":");
    line.number(milliseconds());
    if let Some((slot, doing)) = culprit {
        line.text(match doing {
            Doing::Loading => ",\"doing\":\"loading\",\"who\":",
            Doing::Running => ",\"doing\":\"running\",\"who\":",
        });
        let mut is_known = false;
        slot.who.bytes().for_each(|byte| {
            is_known = true;
            line.byte(byte);
        });
        if !is_known {
            line.text("null");
        }
    }
    line.text("}\n");
    line
}

fn message(signal: c_int, (slot, doing): (&Slot, Doing)) -> Line {
    let mut line = Line::new();
    line.text("hotbay: ");
    line.text(if signal == EXIT { "exit was called" } else { signal_name(signal) });
    line.text(match doing {
        Doing::Loading => " while loading ",
        Doing::Running => " while running ",
    });
    slot.label.bytes().for_each(|byte| line.byte(byte));
    line.text("\n");
    line
}

/// Since 1970.
fn milliseconds() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is there to be written.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now) };
    now.tv_sec.unsigned_abs() * 1000 + now.tv_nsec.unsigned_abs() / 1_000_000
}
