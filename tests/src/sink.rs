//! Where a program's output can go that takes it badly: pipes, devices and terminals.

use std::{
    fs::{File, OpenOptions},
    io::{PipeReader, PipeWriter, Read, Write},
    os::fd::OwnedFd,
    process::Stdio,
    thread::{self, JoinHandle},
};

use rustix::{
    fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl},
    pipe::fcntl_setpipe_size,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

/// The size of a small pipe in bytes, which is the least that the system makes.
const SMALL: usize = 4096;

/// A place for output, whose other end the test holds.
#[derive(Debug)]
pub struct Sink {
    to: OwnedFd,
    other: Other,
}

/// The other end of a sink.
#[derive(Debug)]
enum Other {
    Pipe(PipeReader),
    Terminal(File),
    None,
}

/// What happens to output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The reader of a pipe goes away: EPIPE.
    ReaderGone,
    /// The disk is full: ENOSPC.
    DiskFull,
    /// Nobody empties a pipe: writes wait.
    Stalled,
    /// Nobody empties a pipe that does not let anybody wait: EAGAIN.
    StalledNonBlocking,
    /// A terminal was closed: EIO.
    TerminalClosed,
    /// A terminal shows nothing any more, as after Ctrl-S.
    TerminalStalled,
}

impl Fault {
    /// All faults.
    pub const ALL: [Self; 6] = [
        Self::ReaderGone,
        Self::DiskFull,
        Self::Stalled,
        Self::StalledNonBlocking,
        Self::TerminalClosed,
        Self::TerminalStalled,
    ];

    /// Makes a sink that has the fault, or gets it [later](Sink::close).
    ///
    /// # Panics
    /// If the system does not let it.
    pub fn sink(self) -> Sink {
        match self {
            Self::ReaderGone => Sink::pipe(),
            Self::DiskFull => {
                let full = OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
                Sink { to: full.into(), other: Other::None }
            }
            Self::Stalled => Sink::pipe().filled(),
            Self::StalledNonBlocking => {
                let sink = Sink::pipe().filled();
                let flags = fcntl_getfl(&sink.to).expect("flags of a pipe");
                fcntl_setfl(&sink.to, flags | OFlags::NONBLOCK).expect("a pipe that never waits");
                sink
            }
            Self::TerminalClosed | Self::TerminalStalled => Sink::terminal(80),
        }
    }
}

impl Sink {
    /// Makes a small pipe.
    fn pipe() -> Self {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        fcntl_setpipe_size(&writer, SMALL).expect("a small pipe");
        Self { to: OwnedFd::from(writer), other: Other::Pipe(reader) }
    }

    /// Fills a pipe, so that the next write waits.
    fn filled(self) -> Self {
        let mut writer = PipeWriter::from(self.to.try_clone().expect("a descriptor"));
        writer.write_all(&[b'.'; SMALL]).expect("a pipe has room");
        self
    }

    /// Makes a terminal with so many columns, of which no process is the session.
    ///
    /// # Panics
    /// If the system does not let it.
    pub fn terminal(columns: u16) -> Self {
        let control = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .expect("a terminal");
        grantpt(&control).expect("a terminal");
        unlockpt(&control).expect("a terminal");
        let name = ptsname(&control, Vec::new()).expect("a terminal has a name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let to = rustix::fs::open(name, flags, Mode::empty()).expect("a terminal");
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&to, size).expect("a size");
        Self { to, other: Other::Terminal(control.into()) }
    }

    /// Returns the end for a process.
    ///
    /// # Panics
    /// If there is no descriptor.
    pub fn stdio(&self) -> Stdio {
        self.to.try_clone().expect("a descriptor").into()
    }

    /// Closes the reader of a pipe, or the terminal.
    pub fn close(&mut self) {
        self.other = Other::None;
    }

    /// Reads what a process writes, until it ends.
    ///
    /// # Panics
    /// If there is nothing to read from.
    pub fn read(self) -> JoinHandle<String> {
        let Self { to, other } = self;
        drop(to);
        let mut other: Box<dyn Read + Send> = match other {
            Other::Pipe(reader) => Box::new(reader),
            Other::Terminal(control) => Box::new(control),
            Other::None => panic!("nothing to read from"),
        };
        thread::spawn(move || {
            let mut bytes = Vec::new();
            // A terminal ends with an error.
            drop(other.read_to_end(&mut bytes));
            String::from_utf8_lossy(&bytes).into_owned()
        })
    }
}
