//! Reads the text of a file, and collects the diagnostics about it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::diagnostic::{Diagnostic, Diagnostics, Position, Severity};

/// Reads the text of a configuration file. The error says why it cannot be read and what to do.
pub(super) fn read(file: &Path) -> Result<String, Diagnostics> {
    let bytes = std::fs::read(file).map_err(|error| {
        let known = [
            (ErrorKind::NotFound, "there is no such file", "check the path"),
            (ErrorKind::IsADirectory, "this is a folder", "give the path of a file in it"),
            (ErrorKind::PermissionDenied, "it may not be read", "check owner and permissions"),
        ];
        match known.into_iter().find(|(kind, ..)| *kind == error.kind()) {
            Some((_, message, help)) => refusal(file, message, help),
            None => refusal(file, &format!("it can't be read ({error})"), "check the path"),
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

/// Returns the first position of `wanted` in `text` at or after `from`.
pub(super) fn find_from(text: &str, from: Position, wanted: &str) -> Option<Position> {
    let line_start = text.split_inclusive('\n').take(from.line - 1).map(str::len).sum::<usize>();
    let columns = text[line_start..].chars().take(from.column - 1).map(char::len_utf8);
    let start = line_start + columns.sum::<usize>();
    let offset = text[start..].find(wanted)?;
    Some(end_of(&text[..start + offset]))
}

fn refusal(file: &Path, message: &str, help: &str) -> Diagnostics {
    Diagnostic::new(file, Severity::Error, message).with_help(help).into()
}

/// The diagnostics of one file.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) file: PathBuf,
    pub(super) found: Diagnostics,
}

impl Report {
    pub(super) fn new(file: &Path) -> Self {
        Self { file: file.into(), found: Diagnostics::new() }
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
        let finding = Diagnostic::new(&self.file, severity, message).at(at);
        self.found.push(if help.is_empty() { finding } else { finding.with_help(help) });
    }
}
