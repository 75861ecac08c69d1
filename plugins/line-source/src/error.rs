//! Errors that concern a recording as a whole.

use std::{io, path::PathBuf};

/// An error that is returned when a recording can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file does not exist.
    #[error(
        "no such recording: {}; set `path` to a file that exists (a relative path starts in the \
         configuration's folder)",
        path.display()
    )]
    Missing {
        /// The path of the file.
        path: PathBuf,
    },
    /// The path is not a regular file but, for example, a folder, a pipe or a device.
    #[error("{} is not a regular file; set `path` to one recording", path.display())]
    NotAFile {
        /// The path of the file.
        path: PathBuf,
    },
    /// The operating system returned an error on opening.
    #[error("cannot open {}; check that it may be read", path.display())]
    Refused {
        /// The path of the file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// An error in reading a recording. All complete lines before the error were returned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The gzip data stops before its end.
    #[error(
        "{} is truncated: its gzip data ends in the middle, after line {lines}; the lines before \
         were used; fetch the file again and check it with `gzip -t`",
        path.display()
    )]
    Truncated {
        /// The path of the file.
        path: PathBuf,
        /// The number of complete lines that were read.
        lines: u64,
    },
    /// The gzip data does not decode, or its checksum is wrong.
    #[error(
        "{} is damaged: its gzip data is wrong after line {lines}; the lines before were used; \
         fetch the file again and check it with `gzip -t`",
        path.display()
    )]
    Corrupt {
        /// The path of the file.
        path: PathBuf,
        /// The number of complete lines that were read.
        lines: u64,
        /// The error of the decoder.
        source: io::Error,
    },
    /// A line exceeds the limit, as in a file that is not text.
    #[error(
        "{} has no line end within {limit} bytes after line {lines}; `path` takes a text \
         recording, one message per line",
        path.display()
    )]
    LineTooLong {
        /// The path of the file.
        path: PathBuf,
        /// The number of complete lines that were read.
        lines: u64,
        /// The longest line that is read.
        limit: usize,
    },
    /// The operating system returned an error on reading.
    #[error(
        "cannot read {} after line {lines}; the lines before were used; check the disk, then run \
         again",
        path.display()
    )]
    Failed {
        /// The path of the file.
        path: PathBuf,
        /// The number of complete lines that were read.
        lines: u64,
        /// The error of the operating system.
        source: io::Error,
    },
}
