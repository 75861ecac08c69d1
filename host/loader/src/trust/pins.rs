//! Pins, and the file of them: the format of `sha256sum`, so that `sha256sum --check` reads
//! it as well, and `sha256sum plugins/*.so > hotbay.pins` makes one.

mod edit;

use std::{fmt, path::Path};

use crate::{Refusal, access};

pub use edit::Added;

/// Pins of a hundred thousand files.
const CAP: u64 = 16 << 20;

/// A build that is known to be good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The name of its file, without folders. It tells people which file is meant; what
    /// counts is the content.
    pub file: Option<String>,
    /// The SHA-256 of its content, in hexadecimal, in small letters.
    pub hash: String,
}

/// The builds that are known to be good.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pins(Vec<Pin>);

/// Why there are no pins to be had from a file.
#[derive(Debug)]
pub struct PinsError {
    /// The line that is wrong, from 1; none if it is the file.
    pub line: Option<usize>,
    /// What is wrong with it.
    pub problem: String,
    /// What to do.
    pub remedy: &'static str,
}

impl fmt::Display for PinsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.problem, self.remedy)
    }
}

impl std::error::Error for PinsError {}

impl From<Refusal> for PinsError {
    fn from(refusal: Refusal) -> Self {
        Self { line: None, problem: refusal.to_string(), remedy: refusal.remedy() }
    }
}

impl Pin {
    /// A pin of a file.
    ///
    /// Gives nothing if `hash` is not a SHA-256 in hexadecimal.
    pub fn new(file: Option<String>, hash: &str) -> Option<Self> {
        let is_hash = hash.len() == 64 && hash.bytes().all(|it| it.is_ascii_hexdigit());
        is_hash.then(|| Self { file, hash: hash.to_ascii_lowercase() })
    }

    /// A pin of the configuration.
    ///
    /// Gives nothing if its hash is not a SHA-256 in hexadecimal.
    pub fn of(entry: &hotbay_config::PinEntry) -> Option<Self> {
        Self::new(entry.file.clone(), &entry.hash)
    }

    /// Reads a line: `HASH  FILE` or `HASH *FILE`. Behind a backslash, the name is escaped.
    fn parse(line: &str) -> Option<Self> {
        let (line, is_escaped) = match line.strip_prefix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        let (hash, name) = line.split_once(' ')?;
        let name = name.strip_prefix([' ', '*'])?;
        let name = if is_escaped { unescape(name)? } else { name.to_owned() };
        let file = Path::new(&name).file_name()?.to_str()?.to_owned();
        Self::new(Some(file), hash)
    }

    /// The line of a file of pins.
    fn line(&self) -> String {
        let file = self.file.as_deref().unwrap_or_default();
        let escaped = file.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
        let mark = if escaped == file { "" } else { "\\" };
        format!("{mark}{}  {escaped}", self.hash)
    }
}

fn unescape(name: &str) -> Option<String> {
    let mut plain = String::with_capacity(name.len());
    let mut characters = name.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next()? {
                '\\' => '\\',
                'n' => '\n',
                'r' => '\r',
                _ => return None,
            },
            other => other,
        });
    }
    Some(plain)
}

impl Pins {
    /// Reads the text of a file of pins. Empty lines and those that begin with `#` are skipped.
    ///
    /// # Errors
    /// Names the first line that is something else.
    pub fn parse(text: &str) -> Result<Self, PinsError> {
        let mut pins = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if is_skipped(line) {
                continue;
            }
            let pin = Pin::parse(line).ok_or_else(|| PinsError {
                line: Some(index + 1),
                problem: "this is no pin".to_owned(),
                remedy: "write `SHA256  FILE`, as `sha256sum FILE` prints it, or `#` before a note",
            })?;
            pins.push(pin);
        }
        Ok(Self(pins))
    }

    /// Reads a file of pins; none if there is no such file. It must be as safe from strangers
    /// as the plugins themselves; a link to it may be followed.
    ///
    /// # Errors
    /// If it can't be read or trusted, or a line of it is wrong.
    pub fn load(path: &Path) -> Result<Option<Self>, PinsError> {
        match access::read_text(path, CAP) {
            Ok(text) => Self::parse(&text).map(Some),
            Err(Refusal::Missing) => Ok(None),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Whether a file of this content is pinned.
    pub fn hold(&self, hash: &str) -> bool {
        self.0.iter().any(|pin| pin.hash == hash)
    }

    /// What a file of this name is pinned to.
    pub fn of(&self, file: &str) -> Option<&str> {
        let mut pins = self.0.iter();
        pins.find(|pin| pin.file.as_deref() == Some(file)).map(|pin| pin.hash.as_str())
    }
}

fn is_skipped(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with('#')
}

impl FromIterator<Pin> for Pins {
    fn from_iter<I: IntoIterator<Item = Pin>>(pins: I) -> Self {
        Self(pins.into_iter().collect())
    }
}

impl Extend<Pin> for Pins {
    fn extend<I: IntoIterator<Item = Pin>>(&mut self, pins: I) {
        self.0.extend(pins);
    }
}

impl IntoIterator for Pins {
    type Item = Pin;
    type IntoIter = std::vec::IntoIter<Pin>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
