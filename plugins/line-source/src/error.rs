//! Errors that concern a recording as a whole.

use std::{io, path::PathBuf};

use crate::Packing;

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
    /// The file is no text, but has a format that is known by its first bytes.
    #[error(
        "{} is {format}{inside}; `path` takes a recording that is text in UTF-8, plain, gzip or \
         zstd: unpack or convert it",
        path.display()
    )]
    Format {
        /// The path of the file.
        path: PathBuf,
        /// The name of the format, with its article.
        format: &'static str,
        /// Where it is, if the file is packed; otherwise empty.
        inside: String,
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
    /// The packed data stops before its end.
    #[error(
        "{} is truncated: its {packing} data ends in the middle, after line {lines}; the lines \
         before were used; fetch the file again and check it with `{packing} -t`",
        path.display()
    )]
    Truncated {
        /// The path of the file.
        path: PathBuf,
        /// How the file is packed.
        packing: Packing,
        /// The number of complete lines that were read.
        lines: u64,
    },
    /// The packed data does not decode, or its checksum is wrong.
    #[error(
        "{} is damaged: its {packing} data is wrong after line {lines}; the lines before were \
         used; fetch the file again and check it with `{packing} -t`",
        path.display()
    )]
    Corrupt {
        /// The path of the file.
        path: PathBuf,
        /// How the file is packed.
        packing: Packing,
        /// The number of complete lines that were read.
        lines: u64,
        /// The error of the decoder.
        source: io::Error,
    },
    /// The recording has no line.
    #[error("{} is empty; `path` takes a recording", path.display())]
    Empty {
        /// The path of the file.
        path: PathBuf,
    },
    /// Every line is damaged or of an unknown kind.
    #[error(
        "no line of {} could be used ({lines} in all); {why}; check that it is a recording for \
         this connector",
        path.display()
    )]
    NothingUsable {
        /// The path of the file.
        path: PathBuf,
        /// The number of lines.
        lines: u64,
        /// What is wrong with the first damaged line, and which unknown kinds there are.
        why: String,
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
