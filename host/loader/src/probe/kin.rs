//! A child and all that it started: whether it ended and how, and how to end it.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    process::{Child, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// How long the kernel may take to end a process that was killed.
const DYING: Duration = Duration::from_secs(1);

/// A child with all that it started. They are gone, and it was waited for, when this is dropped.
pub(super) struct Kin(pub(super) Child);

impl Kin {
    pub(super) fn pid(&self) -> io::Result<Pid> {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        pid.ok_or_else(|| io::Error::other("the child has no number"))
    }

    /// Whether the child ended. It is left a zombie, so that its number means no other.
    pub(super) fn ended(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(self.pid()?), options)?.is_some())
    }

    /// Kills what still runs, and waits for the child.
    pub(super) fn end(&mut self) -> io::Result<ExitStatus> {
        if let Err(error) = kill_process_group(self.pid()?, Signal::KILL) {
            // It did not live long enough to make a group of its own.
            tracing::trace!(%error, "no group to end");
        }
        // It fails only if it is gone already.
        drop(self.0.kill());
        let until = Instant::now() + DYING;
        while !self.ended()? {
            if Instant::now() >= until {
                return Err(io::Error::other("the kernel does not let the child end"));
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.0.wait()
    }
}

impl Drop for Kin {
    fn drop(&mut self) {
        // After a failure half-way. Once it was waited for, this does nothing.
        if matches!(self.0.try_wait(), Ok(None)) {
            drop(self.end());
        }
    }
}

/// How it ended, for people.
pub(super) fn describe(status: ExitStatus) -> String {
    match status.signal() {
        Some(libc::SIGSEGV) => "SIGSEGV, an invalid memory access".to_owned(),
        Some(libc::SIGBUS) => "SIGBUS, as a file that was cut short gives".to_owned(),
        Some(libc::SIGABRT) => "SIGABRT, it aborted".to_owned(),
        Some(libc::SIGILL) => "SIGILL, an invalid instruction".to_owned(),
        Some(libc::SIGSYS) => "SIGSYS, it tried to start or to signal a process".to_owned(),
        Some(libc::SIGXCPU) => "SIGXCPU, it used too much processor time".to_owned(),
        Some(libc::SIGXFSZ) => "SIGXFSZ, it wrote a large file".to_owned(),
        Some(signal) => format!("signal {signal}"),
        None => format!("it ended with {status} and without an answer"),
    }
}
