//! The child as the host sees it: started, listened to, and gone in time.

use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::PathBuf,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, ioctl_fionbio},
    process::{PidfdFlags, pidfd_open},
};

use super::{PROBE_ARGUMENT, kin::Kin};
use crate::apart::apart;

/// What a probe says is bounded: a manifest of a megabyte is a mistake.
const MOST_OUTPUT: usize = 1 << 20;

/// How often the host looks whether it still wants to know.
const GLANCE: Duration = Duration::from_millis(50);

/// One conversation with a child.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) program: PathBuf,
    pub(super) staged: PathBuf,
    pub(super) request: Vec<u8>,
    pub(super) limit: Duration,
}

/// How it ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The child came to an end by itself.
    Itself { output: Vec<u8>, status: ExitStatus },
    /// Its time was over, or nobody waits for it any more.
    Late,
    /// It said more than anybody wants to hear.
    TooMuch,
}

/// A child under watch. Dropping this ends the child soon.
pub(super) struct Watched(Arc<AtomicBool>);

impl Watched {
    /// Starts the child and waits for its end.
    ///
    /// All of it happens on one thread: the child dies with the thread that started it.
    pub(super) async fn start(talk: Talk) -> io::Result<Ended> {
        let watched = Self(Arc::default());
        let unwanted = Arc::clone(&watched.0);
        let ended = apart(move || talk.hold(&unwanted)).await;
        drop(watched);
        ended?
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Talk {
    fn hold(self, unwanted: &AtomicBool) -> io::Result<Ended> {
        let until = Instant::now() + self.limit;
        let mut kin = Kin(self.spawn()?);
        if let Some(mut stdin) = kin.0.stdin.take() {
            // A child that died already has its reasons, and its end tells them. The
            // request is far smaller than a pipe holds, so this never waits.
            drop(stdin.write_all(&self.request));
        }
        let mut answer = Output::of(&mut kin.0)?;
        let end = pidfd_open(kin.pid()?, PidfdFlags::empty()).ok();
        let outcome = loop {
            if kin.ended()? {
                break None;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || unwanted.load(Ordering::Relaxed) {
                break Some(Ended::Late);
            }
            answer.wait(end.as_ref(), left.min(GLANCE))?;
            if answer.read()? {
                break Some(Ended::TooMuch);
            }
        };
        let status = kin.end()?;
        match outcome {
            Some(ended) => Ok(ended),
            // What was written before the end is in the pipe; who still holds its other
            // side has nothing to add.
            None if answer.read()? => Ok(Ended::TooMuch),
            None => Ok(Ended::Itself { output: answer.bytes, status }),
        }
    }

    fn spawn(&self) -> io::Result<Child> {
        // The search path is the one thing that the host's own loading depends on as well.
        let path = std::env::var_os("LD_LIBRARY_PATH").map(|path| ("LD_LIBRARY_PATH", path));
        Command::new(&self.program)
            .arg0("hotbay")
            .arg(PROBE_ARGUMENT)
            .arg(&self.staged)
            .env_clear()
            .envs(path)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
    }
}

/// What the child says.
struct Output {
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

    /// Waits until there is something to read, the child ended, or the time is over.
    fn wait(&self, end: Option<&OwnedFd>, limit: Duration) -> io::Result<()> {
        let pipe = self.pipe.as_ref().map(AsFd::as_fd);
        let mut watched: Vec<_> = pipe.into_iter().chain(end.map(AsFd::as_fd)).collect();
        // Without a descriptor that tells of its end, the child is looked at often.
        let limit = if end.is_some() { limit } else { limit.min(Duration::from_millis(2)) };
        let mut watched: Vec<_> =
            watched.drain(..).map(|it| PollFd::from_borrowed_fd(it, PollFlags::IN)).collect();
        let limit = Timespec::try_from(limit).map_err(io::Error::other)?;
        match poll(&mut watched, Some(&limit)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads what is there; says whether it is too much.
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
            if self.bytes.len() > MOST_OUTPUT {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
