//! Reads the text of a file, and collects the diagnostics about it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use hotbay_access::{AccessError, CheckedFile, open_behind_links};

use super::diagnostic::{Diagnostic, Diagnostics, Position, Severity};
use super::document::Node;
use super::limits::MAX_BYTES;
use super::secrets::Secrets;
use super::wording::shown;

/// The files that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The configuration of a host, which says what is run and whom to trust.
    Configuration,
    /// The settings beside a library.
    Settings,
}

/// Reads the text of a file that no other user can change. The error says why it cannot be read and
/// what to do.
pub(super) fn read(file: &Path, source: Source) -> Result<String, Diagnostics> {
    // Opened once: what is checked is what is read, whatever is put there meanwhile.
    let bytes = open_behind_links(file, MAX_BYTES as u64).and_then(CheckedFile::read_to_end);
    let bytes = bytes.map_err(|error| {
        let (message, help) = (error.to_string(), error.remedy());
        let is_exposed = error.is_exposure();
        if let AccessError::NotAFile("a folder") = error {
            refusal(file, "this is a folder", "give the path of a file in it")
        } else if let AccessError::Unreadable(cause) = &error
            && cause.kind() == ErrorKind::PermissionDenied
        {
            refusal(file, "it may not be read", "check owner and permissions")
        } else if let AccessError::TooLarge { cap, .. } = error {
            let message = format!("the file is larger than {} MiB", cap >> 20);
            refusal(file, &message, "leave out what no configuration needs")
        } else if is_exposed && source == Source::Configuration {
            refusal(file, &format!("{message}, so it can't say whom to trust"), help)
        } else {
            refusal(file, &message, help)
        }
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let at = end_of(&String::from_utf8_lossy(valid));
        let finding = Diagnostic::new(file, Severity::Error, "the file isn't UTF-8 text");
        finding.at(at).with_help("save it as UTF-8").into()
    })
}

/// Returns the position after the last character of a text.
fn end_of(text: &str) -> Position {
    let last = text.rsplit('\n').next().unwrap_or_default();
    Position { line: text.matches('\n').count() + 1, column: last.chars().count() + 1 }
}

/// Returns the position of the first character that satisfies `wanted`.
pub(super) fn find(text: &str, wanted: impl Fn(char) -> bool) -> Option<Position> {
    text.find(wanted).map(|offset| end_of(&text[..offset]))
}

/// Finds texts in a file at or after given positions. Positions that rise cost one pass in all.
pub(super) struct Finder<'t> {
    text: &'t str,
    at: Position,
    offset: usize,
}

impl<'t> Finder<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: Position::START, offset: 0 }
    }

    /// Returns the first position of `wanted` at or after `from`.
    pub(super) fn find_from(&mut self, from: Position, wanted: &str) -> Option<Position> {
        if from < self.at {
            *self = Self::new(self.text);
        }
        self.advance(|finder| finder.at >= from);
        let end = self.offset + self.text[self.offset..].find(wanted)?;
        self.advance(|finder| finder.offset >= end);
        Some(self.at)
    }

    fn advance(&mut self, until: impl Fn(&Self) -> bool) {
        let mut rest = self.text[self.offset..].chars().peekable();
        while !until(self)
            && let Some(character) = rest.next()
        {
            self.offset += character.len_utf8();
            let ends_line = character == '\n' || (character == '\r' && rest.peek() != Some(&'\n'));
            if ends_line {
                self.at = Position { line: self.at.line + 1, column: 1 };
            } else {
                self.at.column += 1;
            }
        }
    }
}

fn refusal(file: &Path, message: &str, help: &str) -> Diagnostics {
    Diagnostic::new(file, Severity::Error, message).with_help(help).into()
}

/// The diagnostics of one file.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) file: PathBuf,
    pub(super) found: Diagnostics,
    /// The values that no diagnostic may show.
    pub(super) secrets: Secrets,
}

impl Report {
    pub(super) fn new(file: &Path) -> Self {
        Self { file: file.into(), found: Diagnostics::new(), secrets: Secrets::default() }
    }

    /// Returns `true` if further errors are only counted. What finds many of them can save the work
    /// of describing them, and counts them with [`Report::leave_out`].
    pub(super) fn is_full(&self) -> bool {
        self.found.is_full_of_errors()
    }

    /// Counts errors that are not described.
    pub(super) fn leave_out(&mut self, errors: usize) {
        self.found.leave_out(errors);
    }

    /// Returns a value of the file as a message quotes it, without the values of variables. These are
    /// masked before the text is shortened, since the part that remains of one is not found later.
    pub(super) fn shown(&self, value: &str) -> String {
        shown(&self.secrets.masked(value))
    }

    /// Adds an error about a section with more entries than a configuration may have.
    pub(super) fn too_many(&mut self, node: &Node, what: &str, (found, most): (usize, usize)) {
        let message = format!("the configuration has {found} {what}; {most} are the limit");
        self.error(node.position, message, "leave some out, or use several hosts");
    }

    /// Adds an error. An empty `help` means that the message needs none.
    pub(super) fn error(
        &mut self,
        at: Position,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Severity::Error, at, message.into(), help.into());
    }

    /// Adds a warning. An empty `help` means that the message needs none.
    pub(super) fn warning(
        &mut self,
        at: Position,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Severity::Warning, at, message.into(), help.into());
    }

    fn add(&mut self, severity: Severity, at: Position, message: String, help: String) {
        let finding = Diagnostic::new(&self.file, severity, self.secrets.masked(&message)).at(at);
        let help = self.secrets.masked(&help);
        self.found.push(if help.is_empty() { finding } else { finding.with_help(help) });
    }
}
