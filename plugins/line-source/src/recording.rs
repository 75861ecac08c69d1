//! Reads the text of a file, plain or gzip.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Seek},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;

use crate::OpenError;

/// The first bytes of every gzip file (RFC 1952, 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// The number of bytes of a compressed file that are read at once.
const READ_AHEAD: usize = 64 << 10;

/// A reader of a file's text. Gzip is detected by the first bytes, not by the file's name.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    total: u64,
    text: Text,
}

#[derive(Debug)]
enum Text {
    Plain(Counted),
    Gzip(Box<MultiGzDecoder<BufReader<Counted>>>),
}

impl Recording {
    /// Opens a file.
    ///
    /// # Errors
    /// If the file does not exist, is not a regular file, or can't be read.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let path = path.to_owned();
        match Self::try_open(&path) {
            Ok(Some((total, text))) => Ok(Self { path, total, text }),
            Ok(None) => Err(OpenError::NotAFile { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(OpenError::Missing { path })
            }
            Err(source) => Err(OpenError::Refused { path, source }),
        }
    }

    fn try_open(path: &Path) -> io::Result<Option<(u64, Text)>> {
        // Checked before opening, because opening a pipe without a writer would block for ever.
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() {
            return Ok(None);
        }
        let mut file = File::open(path)?;
        let mut start = Vec::with_capacity(GZIP.len());
        file.by_ref().take(GZIP.len() as u64).read_to_end(&mut start)?;
        file.rewind()?;
        let file = Counted { file, read: 0 };
        let text = if start == GZIP {
            let compressed = BufReader::with_capacity(READ_AHEAD, file);
            Text::Gzip(Box::new(MultiGzDecoder::new(compressed)))
        } else {
            Text::Plain(file)
        };
        Ok(Some((metadata.len(), text)))
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the number of bytes of the file, as stored, that have been read.
    pub fn bytes_done(&self) -> u64 {
        match &self.text {
            Text::Plain(file) => file.read,
            Text::Gzip(decoder) => {
                let waiting = decoder.get_ref().buffer().len() as u64;
                decoder.get_ref().get_ref().read - waiting
            }
        }
    }

    /// Returns the size of the file in bytes when it was opened.
    pub fn bytes_total(&self) -> u64 {
        self.total
    }
}

impl Read for Recording {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.text {
            Text::Plain(file) => file.read(buffer),
            Text::Gzip(decoder) => decoder.read(buffer),
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
