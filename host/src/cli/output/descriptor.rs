//! Writing to standard output and standard error, as a terminal, a pipe or a file takes it.

use std::os::fd::BorrowedFd;

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};

/// The width of tables where nothing says another: a terminal without a size, a pipe, a file.
const USUAL_WIDTH: u16 = 80;

/// A write that failed, maybe after a part of the bytes.
#[derive(Debug)]
pub(super) struct WriteFailed {
    pub(super) error: Errno,
    pub(super) written: usize,
}

/// Writes all bytes, and waits wherever it has to.
///
/// # Errors
/// If the system refuses the bytes for another reason than that it has to be waited for.
pub(super) fn write_all(descriptor: BorrowedFd<'_>, bytes: &[u8]) -> Result<(), WriteFailed> {
    let mut written = 0;
    while written < bytes.len() {
        match rustix::io::write(descriptor, &bytes[written..]) {
            Ok(count) => written += count,
            Err(Errno::INTR) => {}
            // Whoever shares a terminal or a pipe can make it non-blocking for all.
            Err(Errno::AGAIN) => {
                match poll(&mut [PollFd::from_borrowed_fd(descriptor, PollFlags::OUT)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(WriteFailed { error, written }),
                }
            }
            Err(error) => return Err(WriteFailed { error, written }),
        }
    }
    Ok(())
}

/// Returns `true` if standard error is a terminal.
pub(in crate::cli) fn is_terminal_error() -> bool {
    rustix::termios::isatty(rustix::stdio::stderr())
}

/// Returns `true` if standard output is a terminal.
pub(in crate::cli) fn is_terminal_output() -> bool {
    rustix::termios::isatty(rustix::stdio::stdout())
}

/// Returns the width for what is written to standard output: what the variable `COLUMNS` says, the
/// width of the terminal, or 80.
pub(in crate::cli) fn width() -> u16 {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let of_terminal = || rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok();
    let known = columns.or_else(|| of_terminal().map(|size| size.ws_col));
    known.filter(|width| *width > 0).unwrap_or(USUAL_WIDTH)
}
