//! The handlers for fatal signals, which write a record into the report and a line to standard
//! error.
//!
//! The code that runs in a handler uses atomics, the stack, and the functions `pwrite`, `write`,
//! `poll`, `pread`, `clock_gettime`, `nanosleep`, `getpid`, `sigaction` and `raise`, which signal-safety(7)
//! allows. The handler runs on the small alternate stack that Rust's standard library gives each of
//! its threads, so that it works after a stack overflow.

#![expect(unsafe_code, reason = "signal handlers and what they look at are the system's")]

mod frames;
mod write;

use std::{
    ffi::{c_int, c_void},
    fs::File,
    mem::zeroed,
    os::fd::IntoRawFd,
    ptr::{null, null_mut},
    sync::{Once, OnceLock},
};

use super::{record::EXIT, slots};

pub(super) use write::{begin, end};

/// Ends the process at once, without destructors and handlers of libraries, which might wait.
///
/// The report says that no plugin is responsible.
pub fn exit_at_once(code: c_int) -> ! {
    write::write(EXIT, None, None);
    // SAFETY: `_exit` has no preconditions, and runs nothing of this process.
    unsafe { libc::_exit(code) }
}

/// The signals that are handled because they end the process. SIGABRT must be the last one.
const SIGNALS: [c_int; 5] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT];

/// The signature of a handler with `SA_SIGINFO`.
type WithInfo = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// The actions of these signals before the handlers were installed.
static PREVIOUS: OnceLock<[libc::sigaction; SIGNALS.len()]> = OnceLock::new();

/// Installs the handlers, once.
pub(super) fn install() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        // The file is never closed, because the handlers stay for the rest of the process.
        let memory = File::open("/proc/self/mem").map_or(-1, File::into_raw_fd);
        write::prepare(memory, own_id());
        // Stored before a handler is installed, because every handler reads it.
        let previous = PREVIOUS.get_or_init(|| SIGNALS.map(current));
        for (signal, previous) in SIGNALS.into_iter().zip(previous) {
            handle(signal, previous);
        }
        // SAFETY: `on_exit` is an `extern "C"` function without parameters and does not unwind.
        // It is never unmapped: it belongs to the program, or to the library that contains the
        // host.
        let registered = unsafe { libc::atexit(on_exit) };
        if registered != 0 {
            tracing::warn!("a plugin that calls `exit` will not be recorded");
        }
    });
}

/// Installs the handler for a signal.
fn handle(signal: c_int, previous: &libc::sigaction) {
    let mut action = *previous;
    let handler: WithInfo = on_signal;
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: `action` is a copy of a valid action of the system, its handler has the signature
    // that `SA_SIGINFO` demands, and the previous action is not asked for. The call fails only
    // for a number that is not a signal.
    unsafe { libc::sigaction(signal, &raw const action, null_mut()) };
}

/// Restores the previous action of a signal.
fn restore(signal: c_int, previous: &libc::sigaction) {
    // SAFETY: `previous` is a valid action that the system returned before.
    unsafe { libc::sigaction(signal, previous, null_mut()) };
}

/// Returns the current action of a signal.
fn current(signal: c_int) -> libc::sigaction {
    // SAFETY: all zeros is a valid value of this type: the default handler, no flags, no signals.
    let mut action = unsafe { zeroed::<libc::sigaction>() };
    // SAFETY: no action is set, and `action` is valid for a write. The call fails only for a number
    // that is not a signal.
    unsafe { libc::sigaction(signal, null(), &raw mut action) };
    action
}

extern "C" fn on_signal(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the function has no preconditions. It returns a pointer that is valid on this thread.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: `errno` is valid for reads on this thread, see above.
    let before = unsafe { errno.read() };
    if !is_from_outside(info) {
        let registers = frames::registers(context);
        let slot = registers.and_then(|it| slots::of_code(it.program_counter));
        write::write(signal, slot, registers.map(|it| it.stack_pointer));
    }
    // The next handler may repair the fault and let the thread continue, which then needs its
    // `errno`. SAFETY: `errno` is valid for writes on this thread, see above.
    unsafe { errno.write(before) };
    let Some([.., abort]) = PREVIOUS.get() else { return };
    // The handler of Rust's standard library aborts on a stack overflow. The record is written by
    // then, and the alternate stack has no room for a second handler.
    restore(libc::SIGABRT, abort);
    pass_on(signal, info, context);
    // A handler that does not leave the default action for its signal has repaired the fault.
    if signal != libc::SIGABRT && current(signal).sa_sigaction != libc::SIG_DFL {
        handle(libc::SIGABRT, abort);
        write::take_back();
    }
}

/// Called by `exit`, on the thread that called `exit`.
extern "C" fn on_exit() {
    let here = 0u8;
    let stack = &raw const here as usize;
    write::write(EXIT, None, Some(stack));
}

/// Returns `true` if another process sent the signal. No plugin is responsible then.
fn is_from_outside(info: *mut libc::siginfo_t) -> bool {
    // SAFETY: the kernel passes a valid `siginfo_t` to every `SA_SIGINFO` handler.
    let info = unsafe { &*info };
    // SAFETY: the field is valid for the codes below, and is read for no others.
    let sender = || unsafe { info.si_pid() };
    let is_sent = [libc::SI_USER, libc::SI_QUEUE, libc::SI_TKILL].contains(&info.si_code);
    is_sent && sender() != own_id()
}

fn own_id() -> c_int {
    // SAFETY: `getpid` has no preconditions.
    unsafe { libc::getpid() }
}

/// Lets the signal have the effect that it would have without this handler.
fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let index = SIGNALS.iter().position(|known| *known == signal);
    let Some(previous) = PREVIOUS.get().zip(index).map(|(all, index)| &all[index]) else { return };
    match previous.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => restore(signal, previous),
        handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: the action has `SA_SIGINFO`, so its handler has this signature.
            let handler = unsafe { std::mem::transmute::<usize, WithInfo>(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: the action does not have `SA_SIGINFO`, so its handler has this signature.
            let handler = unsafe { std::mem::transmute::<usize, extern "C" fn(c_int)>(handler) };
            handler(signal);
        }
    }
    // SAFETY: the kernel passes a valid `siginfo_t` to every `SA_SIGINFO` handler.
    let code = unsafe { (*info).si_code };
    // A fault is raised again when this handler returns, and the default action follows. A signal
    // that was sent must be sent again. The handler of Rust's standard library also sets the
    // default action and relies on the fault being raised again.
    if code <= 0 && current(signal).sa_sigaction == libc::SIG_DFL {
        // SAFETY: `raise` has no preconditions. The signal is blocked until this handler returns.
        unsafe { libc::raise(signal) };
    }
}
