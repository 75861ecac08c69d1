//! The text of a file, plain or gzip.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Seek},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;

use crate::OpenError;

/// The first bytes of every gzip file (RFC 1952, 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// How much of a compressed file is read at once.
const READ_AHEAD: usize = 64 << 10;

/// The text of a file. Gzip is known by its first bytes, not by the file's name.
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
    /// If there is none, if it is no regular file, or if it may not be read.
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
        // Asked before opening: to open a pipe that nobody writes to would wait for ever.
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

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes of the file, compressed as it is, have been taken in.
    pub fn bytes_done(&self) -> u64 {
        match &self.text {
            Text::Plain(file) => file.read,
            Text::Gzip(decoder) => {
                let waiting = decoder.get_ref().buffer().len() as u64;
                decoder.get_ref().get_ref().read - waiting
            }
        }
    }

    /// How many bytes the file had when it was opened.
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
