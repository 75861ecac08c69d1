//! An open file that passed the checks.

use std::{
    fs::File,
    io::{self, ErrorKind, Read},
};

use rustix::fs::FileType;

use crate::AccessError;

/// An open file that passed the checks, of which no more can be read than was agreed.
#[derive(Debug)]
pub struct CheckedFile {
    file: File,
    read: u64,
    cap: u64,
}

impl CheckedFile {
    pub(crate) fn new(file: File, cap: u64) -> Self {
        Self { file, read: 0, cap }
    }

    /// Reads the next piece of the file into the buffer. An empty piece is the end of the file.
    ///
    /// # Errors
    /// If the file cannot be read, or grew beyond the cap since it was opened.
    pub fn next<'b>(&mut self, buffer: &'b mut [u8]) -> Result<&'b [u8], AccessError> {
        let read = loop {
            match self.file.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read.map_err(AccessError::Unreadable)?,
            }
        };
        self.read += read as u64;
        // The file may grow while it is read, so the cap is applied to what was read.
        if self.read > self.cap {
            return Err(AccessError::TooLarge { size: self.read, cap: self.cap });
        }
        Ok(&buffer[..read])
    }

    /// Reads the whole file.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn read_to_end(mut self) -> Result<Vec<u8>, AccessError> {
        let (mut content, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            match self.next(&mut buffer)? {
                [] => return Ok(content),
                piece => content.extend_from_slice(piece),
            }
        }
    }

    /// Reads the whole file as text.
    ///
    /// # Errors
    /// As [`next`](Self::next), and if the file is not UTF-8.
    pub fn read_to_text(self) -> Result<String, AccessError> {
        String::from_utf8(self.read_to_end()?)
            .map_err(|error| AccessError::Unreadable(io::Error::new(ErrorKind::InvalidData, error)))
    }
}

/// Refuses everything but regular files.
pub(crate) fn require_file(kind: FileType) -> Result<(), AccessError> {
    Err(match kind {
        FileType::RegularFile => return Ok(()),
        FileType::Symlink => AccessError::Link,
        FileType::Directory => AccessError::NotAFile("a folder"),
        FileType::Fifo => AccessError::NotAFile("a named pipe"),
        FileType::Socket => AccessError::NotAFile("a socket"),
        FileType::CharacterDevice | FileType::BlockDevice => AccessError::NotAFile("a device"),
        FileType::Unknown => AccessError::NotAFile("something else"),
    })
}
