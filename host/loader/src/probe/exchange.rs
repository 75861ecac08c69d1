//! One exchange with a child process, which is started, given a request, read from, and ended.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::PathBuf,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use hotbay_access::Lack;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, ioctl_fionbio},
    process::{PidfdFlags, pidfd_open},
};

use super::{PROBE_ARGUMENT, process_group::ProcessGroup, running_time::RunningTime};
use crate::slots::SLOW;

/// The size of the largest answer. A manifest of a megabyte is a mistake.
const MAX_OUTPUT: usize = 1 << 20;

/// How often the host checks whether the exchange was cancelled.
const CANCEL_INTERVAL: Duration = Duration::from_millis(50);

/// How often the host checks whether the child exited, on kernels without pidfd.
const EXIT_INTERVAL: Duration = Duration::from_millis(2);

/// An exchange that has not begun.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) program: PathBuf,
    /// The library that the child is to load; `None` for a handshake.
    pub(super) library: Option<PathBuf>,
    pub(super) request: Vec<u8>,
    pub(super) limit: Duration,
}

/// The outcome of an exchange. The child and its descendants are gone.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The child exited by itself.
    Exited { output: Vec<u8>, status: ExitStatus },
    /// The child was killed because its time was over or the exchange was cancelled.
    TimedOut,
    /// The child was killed because it wrote too much.
    TooMuchOutput,
}

impl Exchange {
    /// Runs the exchange on the calling thread. Blocks.
    pub(super) fn run(self, is_cancelled: &AtomicBool) -> io::Result<Outcome> {
        let mut time = RunningTime::start();
        let mut is_slow = false;
        let mut group = ProcessGroup(self.spawn()?);
        if let Some(mut stdin) = group.0.stdin.take() {
            // A child that has exited already is judged by its exit status. The request is far
            // smaller than the buffer of a pipe, so writing it never blocks.
            drop(stdin.write_all(&self.request));
        }
        let mut output = Output::of(&mut group.0)?;
        let exit = pidfd_open(group.pid()?, PidfdFlags::empty()).ok();
        let killed_for = loop {
            if group.has_exited()? {
                break None;
            }
            let left = self.limit.saturating_sub(time.passed());
            if !is_slow && time.passed() > SLOW {
                is_slow = true;
                group.give_way();
            }
            if left.is_zero() || is_cancelled.load(Ordering::Relaxed) {
                break Some(Outcome::TimedOut);
            }
            output.wait(exit.as_ref(), left.min(CANCEL_INTERVAL))?;
            time.look();
            if output.read()? {
                break Some(Outcome::TooMuchOutput);
            }
        };
        let status = group.kill()?;
        match killed_for {
            Some(outcome) => Ok(outcome),
            // What the child wrote before its end is still in the pipe. A descendant that holds
            // the other end open has nothing to add.
            None if output.read()? => Ok(Outcome::TooMuchOutput),
            None => Ok(Outcome::Exited { output: output.bytes, status }),
        }
    }

    fn spawn(&self) -> io::Result<Child> {
        // Opened here, because an error from `Command` would be put down to the program.
        let null = File::options().write(true).open("/dev/null").map_err(|error| {
            let is_missing = error.kind() == io::ErrorKind::NotFound;
            if is_missing { io::Error::new(error.kind(), Lack::Null) } else { error }
        })?;
        // The search path is the one variable that loading in the host depends on as well.
        let path = std::env::var_os("LD_LIBRARY_PATH").map(|path| ("LD_LIBRARY_PATH", path));
        Command::new(&self.program)
            .arg0("hotbay")
            .arg(PROBE_ARGUMENT)
            .args(&self.library)
            .env_clear()
            .envs(path)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(null)
            .spawn()
    }
}

/// The output of a child, as far as it was read.
struct Output {
    /// `None` after the end of the output.
    pipe: Option<ChildStdout>,
    bytes: Vec<u8>,
}

impl Output {
    fn of(child: &mut Child) -> io::Result<Self> {
        let pipe = child.stdout.take();
        if let Some(pipe) = &pipe {
            ioctl_fionbio(pipe, true)?;
        }
        Ok(Self { pipe, bytes: Vec::new() })
    }

    /// Waits until there is something to read, the child exits, or the limit is over.
    fn wait(&self, exit: Option<&OwnedFd>, limit: Duration) -> io::Result<()> {
        let limit = if exit.is_some() { limit } else { limit.min(EXIT_INTERVAL) };
        let pipe = self.pipe.as_ref().map(AsFd::as_fd);
        let descriptors = pipe.into_iter().chain(exit.map(AsFd::as_fd));
        let mut descriptors: Vec<_> =
            descriptors.map(|it| PollFd::from_borrowed_fd(it, PollFlags::IN)).collect();
        let limit = Timespec::try_from(limit).map_err(io::Error::other)?;
        match poll(&mut descriptors, Some(&limit)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads what is available. Returns `true` if the output is too large.
    fn read(&mut self) -> io::Result<bool> {
        let mut chunk = [0; 8192];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut chunk) {
                Ok(0) => self.pipe = None,
                Ok(read) => self.bytes.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.bytes.len() > MAX_OUTPUT {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
