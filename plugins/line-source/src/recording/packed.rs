//! Decoders of packed files.

use std::{
    fmt,
    io::{self, BufRead, BufReader, Read},
};

use flate2::bufread::GzDecoder;

use super::Counted;

/// How a file is packed. Displayed, it is the name of the program that unpacks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Gzip, of one or several members (RFC 1952).
    Gzip,
    /// Zstandard, of one or several frames (RFC 8878).
    Zstd,
}

/// The first bytes of every gzip member (RFC 1952, 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

impl Packing {
    /// Returns the packing of a file with this start.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        match start {
            _ if start.starts_with(&GZIP) => Some(Self::Gzip),
            // A frame, or one to be skipped.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// Decodes the members of a gzip file, one after the other.
///
/// Zeros between members and after the last one are skipped, as `gzip` does: files that were
/// written in blocks end in them.
#[derive(Debug)]
pub(super) enum Gzip {
    Member(Box<GzDecoder<BufReader<Counted>>>),
    /// The end was reached; the reader is kept for its counts.
    Ended(BufReader<Counted>),
    /// Between two members, while one is exchanged for the next.
    Between,
}

impl Gzip {
    pub(super) fn new(file: BufReader<Counted>) -> Self {
        Self::Member(Box::new(GzDecoder::new(file)))
    }

    /// Returns the bytes of the file that were read, and how many of them are not decoded yet.
    pub(super) fn progress(&self) -> (u64, u64) {
        match self {
            Self::Member(member) => progress(member.get_ref()),
            Self::Ended(file) => progress(file),
            Self::Between => (0, 0),
        }
    }
}

impl Read for Gzip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Self::Member(member) = self else { return Ok(0) };
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Self::Member(member) = std::mem::replace(self, Self::Between) else {
                return Ok(0);
            };
            let mut file = member.into_inner();
            *self = match skip_zeros(&mut file)? {
                Rest::Nothing => Self::Ended(file),
                Rest::More => Self::new(file),
            };
        }
    }
}

enum Rest {
    Nothing,
    More,
}

fn skip_zeros(file: &mut BufReader<Counted>) -> io::Result<Rest> {
    loop {
        let available = match file.fill_buf() {
            Ok([]) => return Ok(Rest::Nothing),
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        match available.iter().take_while(|&&byte| byte == 0).count() {
            0 if available[0] == GZIP[0] => return Ok(Rest::More),
            0 => {
                let error = "what follows its end is no gzip data";
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
            zeros => file.consume(zeros),
        }
    }
}

/// Decodes the frames of a zstd file.
pub(super) struct Zstd(zstd::Decoder<'static, BufReader<Counted>>);

impl Zstd {
    pub(super) fn new(file: BufReader<Counted>) -> io::Result<Self> {
        zstd::Decoder::with_buffer(file).map(Self)
    }

    /// Returns the bytes of the file that were read, and how many of them are not decoded yet.
    pub(super) fn progress(&self) -> (u64, u64) {
        progress(self.0.get_ref())
    }
}

impl Read for Zstd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| {
            // What the decoder finds wrong has no kind of its own.
            if error.kind() == io::ErrorKind::Other && error.raw_os_error().is_none() {
                io::Error::new(io::ErrorKind::InvalidData, error)
            } else {
                error
            }
        })
    }
}

impl fmt::Debug for Zstd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Zstd").field(self.0.get_ref()).finish()
    }
}

fn progress(file: &BufReader<Counted>) -> (u64, u64) {
    (file.get_ref().read, file.buffer().len() as u64)
}
