//! A child process with its descendants: whether it exited, how, and how to kill all of them.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    process::{Child, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process_group, setpriority_pgrp, waitid,
};

/// How long the kernel may take to end a process that was killed.
const KILL_LIMIT: Duration = Duration::from_secs(1);

/// A child with its process group. Dropping the value kills the group and waits for the child.
pub(super) struct ProcessGroup(pub(super) Child);

impl ProcessGroup {
    /// Returns the process id of the child, which is the id of the group as well.
    pub(super) fn pid(&self) -> io::Result<Pid> {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        pid.ok_or_else(|| io::Error::other("the child has no number"))
    }

    /// Returns `true` if the child exited. The child stays a zombie, so that the kernel does not
    /// give its process id to another process.
    pub(super) fn has_exited(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(self.pid()?), options)?.is_some())
    }

    /// Lets all other processes go first. The child goes on, as slowly as need be.
    pub(super) fn give_way(&self) {
        let lowest = self.pid().and_then(|group| Ok(setpriority_pgrp(Some(group), 19)?));
        if let Err(error) = lowest {
            tracing::trace!(%error, "the priority of a slow child stays");
        }
    }

    /// Kills every process of the group that still runs, and waits for the child.
    pub(super) fn kill(&mut self) -> io::Result<ExitStatus> {
        if let Err(error) = kill_process_group(self.pid()?, Signal::KILL) {
            tracing::trace!(%error, "the child exited before it had a group of its own");
        }
        // This fails only if the child has exited already.
        drop(self.0.kill());
        let deadline = Instant::now() + KILL_LIMIT;
        while !self.has_exited()? {
            if Instant::now() >= deadline {
                return Err(io::Error::other("the kernel does not let the child end"));
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.0.wait()
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // This is for an error half-way: after `kill`, the child has been waited for.
        if matches!(self.0.try_wait(), Ok(None)) {
            drop(self.kill());
        }
    }
}

/// Returns `true` for the signals that the kernel and the C library raise for a fault of the process
/// itself. Any other signal that ends a process comes from another process most of the time.
pub(super) fn is_of_fault(signal: i32) -> bool {
    let faults = [
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGABRT,
        libc::SIGILL,
        libc::SIGFPE,
        libc::SIGTRAP,
        libc::SIGSYS,
        libc::SIGXCPU,
        libc::SIGXFSZ,
    ];
    faults.contains(&signal)
}

/// Describes how a child ended, for people.
pub(super) fn describe(status: ExitStatus) -> String {
    match status.signal() {
        Some(libc::SIGSEGV) => "SIGSEGV, an invalid memory access".to_owned(),
        Some(libc::SIGBUS) => "SIGBUS, as a file that was cut short gives".to_owned(),
        Some(libc::SIGABRT) => "SIGABRT, it aborted".to_owned(),
        Some(libc::SIGILL) => "SIGILL, an invalid instruction".to_owned(),
        Some(libc::SIGSYS) => {
            "SIGSYS, it tried to start or to signal a process, or to change another one".to_owned()
        }
        Some(libc::SIGXCPU) => "SIGXCPU, it used too much processor time".to_owned(),
        Some(libc::SIGXFSZ) => "SIGXFSZ, it wrote a large file".to_owned(),
        Some(libc::SIGKILL) => "SIGKILL, as when memory is short".to_owned(),
        Some(libc::SIGTERM) => "SIGTERM".to_owned(),
        Some(signal) => format!("signal {signal}"),
        None => format!("it ended with {status} and without an answer"),
    }
}
