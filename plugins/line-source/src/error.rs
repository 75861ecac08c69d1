//! What can be wrong with a recording as a whole.

use std::{io, path::PathBuf};

/// Why a recording could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no such file.
    #[error(
        "no such recording: {}; set `path` to a file that exists (a relative path starts in the \
         configuration's folder)",
        path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A folder, a pipe, a device.
    #[error("{} is not a regular file; set `path` to one recording", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot open {}; check that it may be read", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a recording could not be read to its end. All lines before were given out.
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
        /// The file.
        path: PathBuf,
        /// How many whole lines were read.
        lines: u64,
    },
    /// The gzip data does not decode, or its checksum is wrong.
    #[error(
        "{} is damaged: its gzip data is wrong after line {lines}; the lines before were used; \
         fetch the file again and check it with `gzip -t`",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// How many whole lines were read.
        lines: u64,
        /// What the decoder said.
        source: io::Error,
    },
    /// A line beyond any sense, as in a file that is not text.
    #[error(
        "{} has no line end within {limit} bytes after line {lines}; `path` takes a text \
         recording, one message per line",
        path.display()
    )]
    LineTooLong {
        /// The file.
        path: PathBuf,
        /// How many whole lines were read.
        lines: u64,
        /// The longest line that is read.
        limit: usize,
    },
    /// The system failed.
    #[error(
        "cannot read {} after line {lines}; the lines before were used; check the disk, then run \
         again",
        path.display()
    )]
    Failed {
        /// The file.
        path: PathBuf,
        /// How many whole lines were read.
        lines: u64,
        /// What the system said.
        source: io::Error,
    },
}
