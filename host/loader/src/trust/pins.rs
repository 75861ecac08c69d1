//! Pins, and their textual form: a line as `sha256sum` prints it.

use std::path::Path;

use hotbay_config::Pin;

use super::PinsError;

/// The pins of a host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pins(Vec<Pin>);

/// Parses a line, `HASH  FILE` or `HASH *FILE`. After a leading backslash, the name is escaped.
pub(super) fn parse_line(line: &str) -> Option<Pin> {
    let (line, is_escaped) = match line.strip_prefix('\\') {
        Some(line) => (line, true),
        None => (line, false),
    };
    let (hash, name) = line.split_once(' ')?;
    let name = name.strip_prefix([' ', '*'])?;
    let name = if is_escaped { unescape(name)? } else { name.to_owned() };
    let file = Path::new(&name).file_name()?.to_str()?.to_owned();
    Pin::new(Some(file), hash)
}

/// Formats a pin as a line that [`parse_line`] accepts.
pub(super) fn line_of(pin: &Pin) -> String {
    let file = pin.file.as_deref().unwrap_or_default();
    let escaped = file.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
    let mark = if escaped == file { "" } else { "\\" };
    format!("{mark}{}  {escaped}", pin.hash)
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
    /// Parses the content of a pin file. Empty lines and lines that begin with `#` are skipped.
    ///
    /// # Errors
    /// If a line is not a pin. The error names the first such line.
    pub fn parse(text: &str) -> Result<Self, PinsError> {
        let mut pins = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if is_skipped(line) {
                continue;
            }
            pins.push(parse_line(line).ok_or_else(|| PinsError::not_a_pin(index + 1))?);
        }
        Ok(Self(pins))
    }

    /// Returns `true` if a file with this hash is pinned.
    pub fn contains(&self, hash: &str) -> bool {
        self.0.iter().any(|pin| pin.hash == hash)
    }

    /// Returns the hash that the pin of a file name has.
    pub fn hash_of(&self, file: &str) -> Option<&str> {
        let mut pins = self.0.iter();
        pins.find(|pin| pin.file.as_deref() == Some(file)).map(|pin| pin.hash.as_str())
    }
}

/// Returns `true` if a line of a pin file is empty or a comment.
pub(super) fn is_skipped(line: &str) -> bool {
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
