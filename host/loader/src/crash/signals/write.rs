//! Writes the record of the signal handler, of which each process has one.
//!
//! The state goes from `NOT_WRITTEN` to `WRITING` to `WRITTEN`. The thread that makes the first
//! transition writes the record; another thread that dies at the same time waits for it, because
//! the process ends as soon as one of them returns from its handler. A fault that was repaired
//! sets the state back to `NOT_WRITTEN`.

use std::{
    ffi::c_int,
    ptr::null_mut,
    sync::atomic::{AtomicI32, AtomicU8, Ordering},
};

use super::{
    super::{
        Phase,
        record::{EXIT, LineBuffer},
        signal_name,
        slots::{self, Slot},
    },
    frames, own_id,
};

/// The descriptor of the report, or -1 if there is none.
static REPORT: AtomicI32 = AtomicI32::new(-1);

/// The process id of the host. A child that a plugin forks inherits the handlers and is not the
/// host.
static HOST: AtomicI32 = AtomicI32::new(-1);

/// The descriptor of `/proc/self/mem`. Reading an unmapped address from it fails, whereas a memory
/// access would raise another fault.
static MEMORY: AtomicI32 = AtomicI32::new(-1);

/// Whether the record is written.
static STATE: AtomicU8 = AtomicU8::new(NOT_WRITTEN);
const NOT_WRITTEN: u8 = 0;
const WRITING: u8 = 1;
const WRITTEN: u8 = 2;

/// How long a second thread that dies waits for the first one to write the record.
const WAIT_MILLIS: usize = 200;

/// Writes records to this report from now on.
pub(in crate::crash) fn begin(report: c_int) {
    REPORT.store(report, Ordering::Release);
}

/// Stops writing records to the report.
pub(in crate::crash) fn end() {
    REPORT.store(-1, Ordering::Release);
}

/// Stores what [`write`] needs: the descriptor of this process's memory, and the process id.
pub(super) fn prepare(memory: c_int, host: c_int) {
    MEMORY.store(memory, Ordering::Release);
    HOST.store(host, Ordering::Release);
}

/// Writes a record and a line to standard error, unless another thread did so before.
///
/// `faulted` is the slot whose code raised the fault. If there is none, the slot of the thread is
/// responsible, or else the slot of the nearest return address on the stack.
pub(super) fn write(signal: c_int, faulted: Option<&'static Slot>, stack: Option<usize>) {
    if HOST.load(Ordering::Acquire) != own_id() {
        return;
    }
    let first = STATE.compare_exchange(NOT_WRITTEN, WRITING, Ordering::AcqRel, Ordering::Acquire);
    if first.is_err() {
        // The process may end as soon as this thread returns from its handler.
        for _ in 0..WAIT_MILLIS {
            if STATE.load(Ordering::Acquire) == WRITTEN {
                break;
            }
            let pause = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
            // SAFETY: `pause` is valid for a read, and the remaining time is not asked for.
            unsafe { libc::nanosleep(&raw const pause, null_mut()) };
        }
        return;
    }
    let nearest = || frames::nearest(MEMORY.load(Ordering::Acquire), stack?);
    let responsible = faulted.or_else(slots::of_thread).or_else(nearest);
    let responsible = responsible.and_then(|slot| Some((slot, slot.phase()?)));
    write_record(signal, responsible);
    if let Some(responsible) = responsible {
        write_message(signal, responsible);
    }
    STATE.store(WRITTEN, Ordering::Release);
}

/// Removes the record, because the process did not die.
pub(super) fn take_back() {
    let file = REPORT.load(Ordering::Acquire);
    if file >= 0 && HOST.load(Ordering::Acquire) == own_id() {
        // SAFETY: the array is valid for a read of one byte.
        unsafe { libc::pwrite(file, [0u8].as_ptr().cast(), 1, 0) };
    }
    STATE.store(NOT_WRITTEN, Ordering::Release);
}

// Not inlined, so that only one `LineBuffer` at a time is on the small alternate stack.
#[inline(never)]
fn write_record(signal: c_int, responsible: Option<(&Slot, Phase)>) {
    let file = REPORT.load(Ordering::Acquire);
    if file >= 0 {
        let line = record(signal, responsible);
        let line = line.as_bytes();
        // An error is ignored, because there is no other place to report it.
        // SAFETY: `line` is valid for a read of `line.len()` bytes.
        unsafe { libc::pwrite(file, line.as_ptr().cast(), line.len(), 0) };
    }
}

#[inline(never)]
fn write_message(signal: c_int, responsible: (&Slot, Phase)) {
    let line = message(signal, responsible);
    let line = line.as_bytes();
    // Nobody may be reading standard error: the process must end nevertheless.
    let mut stderr = libc::pollfd { fd: libc::STDERR_FILENO, events: libc::POLLOUT, revents: 0 };
    // SAFETY: `stderr` is one valid element, and a timeout of 0 does not wait.
    let ready = unsafe { libc::poll(&raw mut stderr, 1, 0) };
    if ready != 1 || stderr.revents & libc::POLLOUT == 0 {
        return;
    }
    // A pipe that is ready takes a line of this size whole. An error is ignored.
    // SAFETY: `line` is valid for a read of `line.len()` bytes.
    unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
}

/// Formats the record of the handler as JSON, in the format of `SignalRecord`.
fn record(signal: c_int, responsible: Option<(&Slot, Phase)>) -> LineBuffer {
    let mut line = LineBuffer::new();
    line.text("{\"signal\":");
    line.number(u64::from(signal.unsigned_abs()));
    line.text(",\"at\":");
    line.number(milliseconds());
    if let Some((slot, phase)) = responsible {
        line.text(match phase {
            Phase::Loading => ",\"doing\":\"loading\",\"who\":",
            Phase::Running => ",\"doing\":\"running\",\"who\":",
        });
        let mut is_known = false;
        slot.build.bytes().for_each(|byte| {
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

/// Formats the line for standard error.
fn message(signal: c_int, (slot, phase): (&Slot, Phase)) -> LineBuffer {
    let mut line = LineBuffer::new();
    line.text("hotbay: ");
    line.text(if signal == EXIT { "exit was called" } else { signal_name(signal) });
    line.text(match phase {
        Phase::Loading => " while loading ",
        Phase::Running => " while running ",
    });
    slot.label.bytes().for_each(|byte| line.byte(byte));
    line.text("\n");
    line
}

/// Returns the time in milliseconds since 1970.
fn milliseconds() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is valid for a write.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now) };
    now.tv_sec.unsigned_abs() * 1000 + now.tv_nsec.unsigned_abs() / 1_000_000
}
