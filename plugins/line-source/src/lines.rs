//! Reads a recording line by line.

use std::{
    io::{self, Read},
    ops::Range,
};

use memchr::memchr;

use crate::{ReadError, Recording};

/// The initial size of the buffer, and about the amount that is decompressed at once.
const BUFFER: usize = 64 << 10;
/// The limit of a line's length; for comparison, a book of 5,000 levels is under 300 kB.
const LONGEST: usize = 32 << 20;

/// One line, without its line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The number of the line in the file, from 1.
    pub number: u64,
    /// The bytes of the line, which need not be UTF-8.
    pub bytes: &'a [u8],
}

/// Reads the lines of a recording in order.
///
/// [`peek`](Self::peek) returns the same line until [`advance`](Self::advance)
/// moves on to the next one, so a caller that has to wait before using a line
/// can peek at it again later.
#[derive(Debug)]
pub struct LineReader {
    recording: Recording,
    buffer: Vec<u8>,
    /// The range of the buffer with text that has not been consumed.
    held: Range<usize>,
    /// The end of the part of the buffer that was searched and holds no line end.
    searched: usize,
    next: Option<Range<usize>>,
    passed: u64,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Ahead,
    Reached,
}

impl LineReader {
    /// Creates a reader of a recording's lines.
    pub fn new(recording: Recording) -> Self {
        Self {
            recording,
            buffer: vec![0; BUFFER],
            held: 0..0,
            searched: 0,
            next: None,
            passed: 0,
            end: End::Ahead,
        }
    }

    /// Returns the next line, or `None` at the end. The last line needs no line end.
    ///
    /// # Errors
    /// If the recording can't be read. An incomplete line before the error is not returned.
    pub fn peek(&mut self) -> Result<Option<Line<'_>>, ReadError> {
        if self.next.is_none() {
            self.next = self.find()?;
        }
        Ok(self.next.clone().map(|range| {
            let bytes = &self.buffer[range];
            Line { number: self.passed + 1, bytes: bytes.strip_suffix(b"\r").unwrap_or(bytes) }
        }))
    }

    /// Moves past the line that [`peek`](Self::peek) returned; without one, does nothing.
    pub fn advance(&mut self) {
        if let Some(line) = self.next.take() {
            self.held.start = self.held.end.min(line.end + 1);
            self.searched = self.held.start;
            self.passed += 1;
        }
    }

    /// Returns the number of lines that were moved past.
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// Returns the recording that is read.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Reads all remaining text, for a recording that is one document.
    ///
    /// # Errors
    /// If the recording can't be read to its end; the text before the error stays in `text`.
    pub fn read_rest(&mut self, text: &mut Vec<u8>) -> Result<(), ReadError> {
        text.extend_from_slice(&self.buffer[self.held.clone()]);
        self.next = None;
        self.held = 0..0;
        self.searched = 0;
        self.end = End::Reached;
        self.recording.read_to_end(text).map_err(|error| self.failed(error))?;
        Ok(())
    }

    fn find(&mut self) -> Result<Option<Range<usize>>, ReadError> {
        loop {
            if let Some(at) = memchr(b'\n', &self.buffer[self.searched..self.held.end]) {
                return Ok(Some(self.held.start..self.searched + at));
            }
            self.searched = self.held.end;
            if self.end == End::Reached {
                return Ok((!self.held.is_empty()).then(|| self.held.clone()));
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Result<(), ReadError> {
        self.buffer.copy_within(self.held.clone(), 0);
        self.held = 0..self.held.len();
        self.searched = self.held.end;
        if self.held.end == self.buffer.len() {
            if self.buffer.len() >= LONGEST {
                let path = self.recording.path().to_owned();
                return Err(ReadError::LineTooLong { path, lines: self.passed, limit: LONGEST });
            }
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        match self.recording.read(&mut self.buffer[self.held.end..]) {
            Ok(0) => self.end = End::Reached,
            Ok(count) => self.held.end += count,
            // The loop in `find` calls again.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(self.failed(error)),
        }
        Ok(())
    }

    fn failed(&self, source: io::Error) -> ReadError {
        let (path, lines) = (self.recording.path().to_owned(), self.passed);
        let Some(packing) = self.recording.packing() else {
            return ReadError::Failed { path, lines, source };
        };
        // These three kinds of I/O errors come from the decoders.
        if source.kind() == io::ErrorKind::UnexpectedEof {
            ReadError::Truncated { path, packing, lines }
        } else if matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
        {
            ReadError::Corrupt { path, packing, lines, source }
        } else {
            ReadError::Failed { path, lines, source }
        }
    }
}
