//! Reads the text of a file, plain, gzip or zstd.

mod format;
mod packed;

use std::{
    fs::{self, File},
    io::{self, BufReader, Cursor, Read, Seek},
    path::{Path, PathBuf},
};

use crate::OpenError;
pub use packed::Packing;
use packed::{Gzip, Zstd};

/// The number of bytes of a compressed file that are read at once.
const READ_AHEAD: usize = 64 << 10;
/// The number of bytes by which a format is recognized.
const START: u64 = 512;
/// A mark that some programs put before UTF-8. It is no part of the text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A reader of a file's text. Gzip and zstd are detected by the first bytes, not by the file's
/// name. A byte order mark is left out.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    total: u64,
    /// The start of the text, which was read to recognize the format.
    start: Cursor<Vec<u8>>,
    /// The error that ended the reading of the start.
    failed: Option<io::Error>,
    text: Text,
}

#[derive(Debug)]
enum Text {
    Plain(Counted),
    Gzip(Gzip),
    Zstd(Box<Zstd>),
}

impl Recording {
    /// Opens a file.
    ///
    /// # Errors
    /// If the file does not exist, is not a regular file, can't be read, or has a known format
    /// that is no text.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let path = path.to_owned();
        let (total, text) = match Self::try_open(&path) {
            Ok(Some(opened)) => opened,
            Ok(None) => return Err(OpenError::NotAFile { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(OpenError::Missing { path });
            }
            Err(source) => return Err(OpenError::Refused { path, source }),
        };
        let start = Cursor::default();
        let mut recording = Self { path, total, start, failed: None, text };
        let mut start = Vec::new();
        recording.failed = recording.by_ref().take(START).read_to_end(&mut start).err();
        if let Some(format) = format::unreadable(&start) {
            let inside = recording.packing().map(|packing| format!(" inside of its {packing}"));
            let inside = inside.unwrap_or_default();
            return Err(OpenError::Format { path: recording.path, format, inside });
        }
        let mark = if start.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        recording.start = Cursor::new(start.split_off(mark));
        Ok(recording)
    }

    fn try_open(path: &Path) -> io::Result<Option<(u64, Text)>> {
        // Checked before opening, because opening a pipe without a writer would block for ever.
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() {
            return Ok(None);
        }
        let mut file = File::open(path)?;
        let mut start = Vec::new();
        file.by_ref().take(START).read_to_end(&mut start)?;
        file.rewind()?;
        let file = Counted { file, read: 0 };
        let packed = |file| BufReader::with_capacity(READ_AHEAD, file);
        let text = match Packing::of(&start) {
            None => Text::Plain(file),
            Some(Packing::Gzip) => Text::Gzip(Gzip::new(packed(file))),
            Some(Packing::Zstd) => Text::Zstd(Box::new(Zstd::new(packed(file))?)),
        };
        Ok(Some((metadata.len(), text)))
    }

    /// Returns how the file is packed, if it is.
    pub(crate) fn packing(&self) -> Option<Packing> {
        match &self.text {
            Text::Plain(_) => None,
            Text::Gzip(_) => Some(Packing::Gzip),
            Text::Zstd(_) => Some(Packing::Zstd),
        }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the number of bytes of the file, as stored, that have been read.
    pub fn bytes_done(&self) -> u64 {
        let (read, waiting) = match &self.text {
            Text::Plain(file) => (file.read, 0),
            Text::Gzip(gzip) => gzip.progress(),
            Text::Zstd(zstd) => zstd.progress(),
        };
        read.saturating_sub(waiting)
    }

    /// Returns the size of the file in bytes when it was opened.
    pub fn bytes_total(&self) -> u64 {
        self.total
    }
}

impl Read for Recording {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.start.read(buffer)?;
        if count > 0 {
            return Ok(count);
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        match &mut self.text {
            Text::Plain(file) => file.read(buffer),
            Text::Gzip(gzip) => gzip.read(buffer),
            Text::Zstd(zstd) => zstd.read(buffer),
        }
    }
}

#[derive(Debug)]
struct Counted {
    file: File,
    read: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read += count as u64;
        Ok(count)
    }
}
