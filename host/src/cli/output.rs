//! All that the program writes: results to standard output, everything else to standard error.
//!
//! Nothing else in the program writes to either. What is written is escaped here, once, so that no
//! text of a plugin, a file or a system reaches the terminal as anything else than text.
//!
//! Standard error is written by a thread of its own, behind a bounded queue, so that neither a
//! reader that stalls nor a disk that is full has an influence on what runs ([`queue`]). The crate
//! `tracing-appender` has such a queue as well. It was not taken because it does not count what its
//! writer fails to write, bounds lines instead of bytes, and at the end prints to standard output
//! if the writer hangs.

mod descriptor;
mod page;
mod queue;

use std::{
    fmt::{self, Write},
    io,
    sync::OnceLock,
    thread,
    time::Duration,
};

use hotbay_config::text::Escape;

pub(super) use descriptor::{is_terminal_error, is_terminal_output, width};
pub(super) use page::Page;
use queue::Queue;

/// What happens to a line for which the queue has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhenFull {
    /// The writer of the line waits, as in any program that prints a result and ends.
    Wait,
    /// The line is lost and counted, because nothing that runs may wait.
    Lose,
}

static QUEUE: OnceLock<Queue> = OnceLock::new();

fn queue() -> &'static Queue {
    QUEUE.get_or_init(|| Queue::start(rustix::stdio::stderr()))
}

/// Sets what happens to lines for which there is no room. At first, their writers wait.
pub(super) fn when_full(policy: WhenFull) {
    queue().when_full(policy);
}

/// Writes one line to standard error, sooner or later.
pub(super) fn err(line: impl fmt::Display) {
    let mut text = String::new();
    // A value that can't be displayed is no reason to end; what it wrote until then is shown.
    let _shown = write!(Escape(&mut text), "{line}");
    text.push('\n');
    queue().push(text);
}

/// Shows a line below all others, until it is replaced or taken away. For terminals only.
pub(super) fn progress(line: Option<String>) {
    queue().show_progress(line);
}

/// Returns the number of lines for standard error that were lost so far.
pub(super) fn lost_lines() -> u64 {
    queue().lost()
}

/// Waits until everything for standard error is written; at most for `limit`, if there is one.
pub(super) fn flush(limit: Option<Duration>) {
    queue().flush(limit);
}

/// Writes a text to standard output.
///
/// A reader that went away has read what it wanted, so that is no error.
///
/// # Errors
/// If the text cannot be written, because the disk is full for example.
pub(super) fn out(text: &str) -> io::Result<()> {
    match descriptor::write_all(rustix::stdio::stdout(), text.as_bytes()) {
        Err(failed) if failed.error == rustix::io::Errno::PIPE => Ok(()),
        Err(failed) => Err(failed.error.into()),
        Ok(()) => Ok(()),
    }
}

/// Writes a text to standard output on a thread of its own, and sends the result.
pub(super) fn out_aside(text: String) -> tokio::sync::oneshot::Receiver<io::Result<()>> {
    let (done, written) = tokio::sync::oneshot::channel();
    let work = move || drop(done.send(out(&text)));
    // Without a thread, `done` is dropped, and the receiver learns that.
    drop(thread::Builder::new().name("report".to_owned()).spawn(work));
    written
}

/// Takes the lines of the log.
///
/// The formatter has escaped them, and adds the line feed.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogWriter;

impl io::Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        queue().push(String::from_utf8_lossy(line).into_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
