//! The last thing that a dying process does: a line into a file and one on standard error.
//!
//! What runs in a handler uses atomics, the stack, and these system calls: `pwrite`, `write`,
//! `pread`, `clock_gettime`, `nanosleep`, `getpid`, `sigaction` and `raise`, which
//! signal-safety(7) allows. The stack is the small one that Rust's standard library gives
//! each of its threads for signals, so that a handler works when the usual one is full.

#![expect(unsafe_code, reason = "signal handlers and what they look at are the system's")]

mod frames;
mod leave;

use std::{
    ffi::{c_int, c_void},
    fs::File,
    mem::zeroed,
    os::fd::IntoRawFd,
    ptr::{null, null_mut},
    sync::{Once, OnceLock},
};

use super::{note::EXIT, slots};

pub(super) use leave::{begin, end};

/// SIGABRT is the last one.
const SIGNALS: [c_int; 5] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT];

/// A handler that learns more than the number.
type WithInfo = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// What was to be done at these signals before.
static PREVIOUS: OnceLock<[libc::sigaction; SIGNALS.len()]> = OnceLock::new();

/// Installs the handlers, once.
pub(super) fn install() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        // Never closed: the handlers stay for as long as the process does.
        let memory = File::open("/proc/self/mem").map_or(-1, File::into_raw_fd);
        leave::prepare(memory, own_id());
        // Looked at before any handler of ours can run and ask for it.
        let previous = PREVIOUS.get_or_init(|| SIGNALS.map(current));
        for (signal, previous) in SIGNALS.into_iter().zip(previous) {
            handle(signal, previous);
        }
        // SAFETY: `on_exit` has the signature that is asked for, and does not unwind.
        let registered = unsafe { libc::atexit(on_exit) };
        if registered != 0 {
            tracing::warn!("a plugin that calls `exit` will not be noted");
        }
    });
}

/// Has a signal come to us instead of where it went before.
fn handle(signal: c_int, previous: &libc::sigaction) {
    let mut action = *previous;
    let handler: WithInfo = on_signal;
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: `action` began as one that the system gave, and its handler has the signature
    // that `SA_SIGINFO` asks for. It fails only for numbers that are no signal.
    unsafe { libc::sigaction(signal, &raw const action, null_mut()) };
}

/// Has a signal go where it went before us.
fn leave_alone(signal: c_int, previous: &libc::sigaction) {
    // SAFETY: it is what the system gave as valid before.
    unsafe { libc::sigaction(signal, previous, null_mut()) };
}

/// What is to be done at a signal at present.
fn current(signal: c_int) -> libc::sigaction {
    // SAFETY: all zeros is a value of this type: no handler, no flags, no signals.
    let mut action = unsafe { zeroed::<libc::sigaction>() };
    // SAFETY: nothing is set, and `action` is there to be written.
    // It fails only for numbers that are no signal.
    unsafe { libc::sigaction(signal, null(), &raw mut action) };
    action
}

extern "C" fn on_signal(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: it is this thread's own, and always there.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { errno.read() };
    if !is_from_outside(info) {
        let registers = frames::registers(context);
        let culprit = registers.and_then(|it| slots::of_code(it.code));
        leave::note(signal, culprit, registers.map(|it| it.stack));
    }
    // SAFETY: as above. The handler that is next may mend the fault and let the thread go on.
    unsafe { errno.write(before) };
    let Some([.., abort]) = PREVIOUS.get() else { return };
    // Rust's handler aborts when a stack is full. All is said by then, and the stack for
    // signals has no room for another handler.
    leave_alone(libc::SIGABRT, abort);
    pass_on(signal, info, context);
    // Whoever leaves another handler than the default for what comes next has mended it.
    if signal != libc::SIGABRT && current(signal).sa_sigaction != libc::SIG_DFL {
        handle(libc::SIGABRT, abort);
        leave::take_back();
    }
}

/// Called by `exit`, on the thread that called it.
extern "C" fn on_exit() {
    let here = 0u8;
    let stack = &raw const here as usize;
    leave::note(EXIT, None, Some(stack));
}

/// Whether another process sent it: then nobody here is to blame.
fn is_from_outside(info: *mut libc::siginfo_t) -> bool {
    // SAFETY: the system gives every `SA_SIGINFO` handler a valid one.
    let info = unsafe { &*info };
    // SAFETY: a process that sends a signal is named in it; for other codes it isn't asked.
    let sender = || unsafe { info.si_pid() };
    let is_sent = [libc::SI_USER, libc::SI_QUEUE, libc::SI_TKILL].contains(&info.si_code);
    is_sent && sender() != own_id()
}

fn own_id() -> c_int {
    // SAFETY: it only gives a number.
    unsafe { libc::getpid() }
}

/// Lets the signal do what it would have done without us.
fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let index = SIGNALS.iter().position(|known| *known == signal);
    let Some(previous) = PREVIOUS.get().zip(index).map(|(all, index)| &all[index]) else { return };
    match previous.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => leave_alone(signal, previous),
        handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: `SA_SIGINFO` says that the handler has this signature.
            let handler = unsafe { std::mem::transmute::<usize, WithInfo>(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: without `SA_SIGINFO`, a handler has this signature.
            let handler = unsafe { std::mem::transmute::<usize, extern "C" fn(c_int)>(handler) };
            handler(signal);
        }
    }
    // SAFETY: the system gives every `SA_SIGINFO` handler a valid one.
    let code = unsafe { (*info).si_code };
    // A fault comes again as soon as we return, and the default is done then. What was sent
    // has to be sent again: Rust's own handler, too, sets the default and relies on a fault.
    if code <= 0 && current(signal).sa_sigaction == libc::SIG_DFL {
        // SAFETY: it only sends a signal, which waits until this handler returns.
        unsafe { libc::raise(signal) };
    }
}
