//! The `hotbay` process, which is started, watched, told to stop, and never left behind.

use std::{
    ffi::OsStr,
    io::Read,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, kill_process};

use crate::{LIMIT, Report, hotbay, until};

/// The signals that a test sends to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM, as a service manager sends it.
    Terminate,
    /// SIGINT, as Ctrl-C sends it.
    Interrupt,
    /// SIGHUP, as `systemctl reload` may send it.
    Hangup,
    /// SIGQUIT, as Ctrl-\ sends it.
    Quit,
    /// SIGKILL, of which it learns nothing.
    Kill,
    /// SIGSEGV, as if it had crashed.
    Segv,
}

/// A call of `hotbay` in the making. Of the variables of Hotbay, its environment has only those that
/// are set here.
#[derive(Debug)]
pub struct Run {
    command: Command,
}

impl Run {
    /// Prepares a call of `hotbay` with these arguments.
    pub fn new<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        Self::of(hotbay(), arguments)
    }

    /// Prepares a call of another build of `hotbay` with these arguments.
    pub fn of<S: AsRef<OsStr>>(program: &Path, arguments: impl IntoIterator<Item = S>) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            // What the tests themselves are given must not reach the process by accident.
            if name.to_str().is_some_and(|name| name.starts_with("HOTBAY_")) {
                command.env_remove(name);
            }
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command }
    }

    /// Prepares the call `hotbay run FILE --output json`.
    pub fn config(file: impl AsRef<Path>) -> Self {
        let file = file.as_ref().as_os_str();
        Self::new([OsStr::new("run"), file, OsStr::new("--output"), OsStr::new("json")])
    }

    /// Sets an environment variable of the process.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets the log filter through the variable `HOTBAY_LOG`.
    #[must_use]
    pub fn log(self, filter: &str) -> Self {
        self.env("HOTBAY_LOG", filter)
    }

    /// Sets where standard output goes. It is not captured then.
    #[must_use]
    pub fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stdout(to);
        self
    }

    /// Sets where standard error goes. It is not captured then.
    #[must_use]
    pub fn stderr(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stderr(to);
        self
    }

    /// Starts the process.
    ///
    /// # Panics
    /// If the program can't be started.
    pub fn start(mut self) -> Running {
        let began = Instant::now();
        let mut child = self.command.spawn().expect("the hotbay program starts");
        let stdout = Captured::of(child.stdout.take());
        let stderr = Captured::of(child.stderr.take());
        Running { child, stdout, stderr, began }
    }

    /// Starts the process and waits for its end, at most [`LIMIT`].
    ///
    /// # Panics
    /// If it doesn't start or end.
    pub fn finish(self) -> Ended {
        self.start().wait()
    }
}

/// A running `hotbay` process, which is killed when the value is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Captured,
    stderr: Captured,
    began: Instant,
}

impl Running {
    /// Returns the id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns what the process wrote to standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until standard error holds this text.
    ///
    /// # Panics
    /// If it doesn't come within [`LIMIT`].
    pub fn wait_for_log(&self, text: &str) {
        until(&format!("{text:?} in the log"), || self.stderr().contains(text).then_some(()));
    }

    /// Sends a signal to the process.
    ///
    /// # Panics
    /// If it has ended already.
    pub fn signal(&self, signal: Signal) {
        let signal = match signal {
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Interrupt => rustix::process::Signal::INT,
            Signal::Hangup => rustix::process::Signal::HUP,
            Signal::Quit => rustix::process::Signal::QUIT,
            Signal::Kill => rustix::process::Signal::KILL,
            Signal::Segv => rustix::process::Signal::SEGV,
        };
        kill_process(Pid::from_child(&self.child), signal).expect("the process is there");
    }

    /// Tells the process to stop, as a service manager does, and waits for its end, at most
    /// [`LIMIT`].
    ///
    /// # Panics
    /// If it has ended already, or doesn't end.
    pub fn stop(self) -> Ended {
        self.signal(Signal::Terminate);
        self.wait()
    }

    /// Waits for the end of the process, at most [`LIMIT`].
    ///
    /// # Panics
    /// If it doesn't end.
    pub fn wait(self) -> Ended {
        self.wait_within(LIMIT)
    }

    /// Waits for the end of the process within a limit.
    ///
    /// # Panics
    /// If it doesn't end; the message has what it wrote.
    pub fn wait_within(mut self, limit: Duration) -> Ended {
        let until = Instant::now() + limit;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if Instant::now() >= until {
                panic!("hotbay did not end within {limit:?}; it wrote:\n{}", self.stderr());
            }
            thread::sleep(Duration::from_millis(2));
        };
        let took = self.began.elapsed();
        // Its pipes end with it, unless a child of its own holds them; then what came counts.
        let read = |captured: &Captured| {
            let deadline = Instant::now() + Duration::from_secs(1);
            while !captured.reader.is_finished() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(1));
            }
            captured.text()
        };
        Ended { status, stdout: read(&self.stdout), stderr: read(&self.stderr), took }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail if it has ended, which is well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A process that came to its end.
#[derive(Debug)]
pub struct Ended {
    /// The exit status of the process.
    pub status: ExitStatus,
    /// What the process wrote to standard output.
    pub stdout: String,
    /// What the process wrote to standard error.
    pub stderr: String,
    /// The time from the start of the process to its end.
    pub took: Duration,
}

impl Ended {
    /// The same, if it ended with this exit code.
    ///
    /// # Panics
    /// If with another, or by a signal.
    #[must_use]
    pub fn expect_code(self, code: i32) -> Self {
        let Self { status, stdout, stderr, .. } = &self;
        assert_eq!(
            (status.code(), status.signal()),
            (Some(code), None),
            "exit code and signal; it wrote:\n{stdout}\n{stderr}"
        );
        self
    }

    /// Standard output as a report.
    ///
    /// # Panics
    /// If it is anything else than one JSON document.
    pub fn report(&self) -> Report {
        Report::parse(&self.stdout).unwrap_or_else(|| {
            panic!("standard output is not one JSON document:\n{}\n{}", self.stdout, self.stderr)
        })
    }

    /// Fails if standard error lacks one of these texts.
    ///
    /// # Panics
    /// Then.
    pub fn expect_stderr(&self, texts: &[&str]) {
        for text in texts {
            assert!(self.stderr.contains(text), "{text:?} is missing in:\n{}", self.stderr);
        }
    }
}

/// What comes out of a pipe, read by a thread so that the process never blocks on it.
#[derive(Debug)]
struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Captured {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let Some(mut pipe) = pipe else { return };
            let mut chunk = [0; 4096];
            while let Ok(read @ 1..) = pipe.read(&mut chunk) {
                let mut bytes = into.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend_from_slice(&chunk[..read]);
            }
        });
        Self { bytes, reader }
    }

    fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
