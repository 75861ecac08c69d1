//! The lines of a recording.

use std::{
    io::{self, Read},
    ops::Range,
};

use memchr::memchr;

use crate::{ReadError, Recording};

/// What the buffer holds at first, and so about how much is decompressed in one go.
const BUFFER: usize = 64 << 10;
/// The longest line: a full book of 5,000 levels is under 300 kB.
const LONGEST: usize = 32 << 20;

/// One line, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its number in the file, from 1.
    pub number: u64,
    /// Its bytes; nothing says that they are text.
    pub bytes: &'a [u8],
}

/// Gives out a recording's lines in order.
///
/// [`peek`](Self::peek) shows the next line as often as it is asked,
/// [`advance`](Self::advance) goes on to the one after it: who must wait before
/// using a line leaves it where it is.
#[derive(Debug)]
pub struct LineReader {
    recording: Recording,
    buffer: Vec<u8>,
    /// What of the buffer holds text that was not given out.
    held: Range<usize>,
    /// Up to where no line end was found.
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
    /// Reads the lines of a recording.
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

    /// The next line; `None` at the end. A last line needs no line end.
    ///
    /// # Errors
    /// If the recording can't be read on. The piece of a line before that place
    /// is not given out.
    pub fn peek(&mut self) -> Result<Option<Line<'_>>, ReadError> {
        if self.next.is_none() {
            self.next = self.find()?;
        }
        Ok(self.next.clone().map(|range| {
            let bytes = &self.buffer[range];
            Line { number: self.passed + 1, bytes: bytes.strip_suffix(b"\r").unwrap_or(bytes) }
        }))
    }

    /// Leaves the line that [`peek`](Self::peek) showed; without one, does nothing.
    pub fn advance(&mut self) {
        if let Some(line) = self.next.take() {
            self.held.start = self.held.end.min(line.end + 1);
            self.searched = self.held.start;
            self.passed += 1;
        }
    }

    /// How many lines were left behind.
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// The recording that is read.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// The whole rest as one text, for a recording that is one document.
    ///
    /// # Errors
    /// If it can't be read to its end; what was read stays in `text`.
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
            // The loop in `find` comes back.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(self.failed(error)),
        }
        Ok(())
    }

    fn failed(&self, source: io::Error) -> ReadError {
        let (path, lines) = (self.recording.path().to_owned(), self.passed);
        // Of the kinds of an I/O error these three come from the decoder.
        if source.kind() == io::ErrorKind::UnexpectedEof {
            ReadError::Truncated { path, lines }
        } else if matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
        {
            ReadError::Corrupt { path, lines, source }
        } else {
            ReadError::Failed { path, lines, source }
        }
    }
}
