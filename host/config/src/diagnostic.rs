//! Errors and warnings with their positions in a file.

use std::fmt::{self, Write};
use std::path::{Path, PathBuf};

use super::limits::MAX_DIAGNOSTICS;
use crate::text::Escape;

/// A position in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The number of the line, from 1.
    pub line: usize,
    /// The number of the column in characters, from 1.
    pub column: usize,
}

impl Position {
    /// The position of the first character of a text.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// How serious a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// The configuration can be used, but is probably not what its author intended.
    Warning,
}

/// One error or warning, displayed as `file:line:column: message; help`, on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The path of the file, as it was given.
    pub file: PathBuf,
    /// The position of the problem in the file. `None` if the file as a whole is meant.
    pub position: Option<Position>,
    /// Whether this is an error or a warning.
    pub severity: Severity,
    /// A description of the problem.
    pub message: String,
    /// What an operator can do about the problem, if there is advice.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Creates a diagnostic about a file as a whole.
    pub fn new(file: &Path, severity: Severity, message: impl Into<String>) -> Self {
        Self { file: file.into(), position: None, severity, message: message.into(), help: None }
    }

    /// Adds the position of the problem in the file.
    #[must_use]
    pub fn at(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }

    /// Returns `true` if both have the same message and position, even if the paths of their
    /// files are written differently.
    pub fn says_the_same(&self, other: &Self) -> bool {
        (self.position, &self.message) == (other.position, &other.message)
    }

    /// Adds what to do about the problem.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn place(&self) -> (&Path, Option<Position>) {
        (&self.file, self.position)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names of files and parts of a file may have line breaks.
        let mut out = Escape(out);
        write!(out, "{}", self.file.display())?;
        if let Some(Position { line, column }) = self.position {
            write!(out, ":{line}:{column}")?;
        }
        match self.severity {
            Severity::Error => write!(out, ": {}", self.message)?,
            Severity::Warning => write!(out, ": warning: {}", self.message)?,
        }
        self.help.iter().try_for_each(|help| write!(out, "; {help}"))
    }
}

/// Diagnostics in the order of their positions, without duplicates. They are displayed one per
/// line.
///
/// Only the first hundred are kept, errors before warnings; further ones are counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    kept: Vec<Diagnostic>,
    left_out: usize,
}

impl Diagnostics {
    /// Creates an empty list of diagnostics.
    pub fn new() -> Self {
        Self::default()
    }

    /// Inserts a diagnostic in the order of positions, unless it is in the list already.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        // An entry behind a YAML alias is read once for each use, with the same diagnostics each
        // time.
        if self.kept.contains(&diagnostic) {
            return;
        }
        if self.kept.len() >= MAX_DIAGNOSTICS {
            self.left_out += 1;
            // An error must not be left out because of warnings.
            let last_warning = self.kept.iter().rposition(|it| it.severity == Severity::Warning);
            match last_warning {
                Some(last) if diagnostic.severity == Severity::Error => {
                    drop(self.kept.remove(last))
                }
                _ => return,
            }
        }
        let place = self.kept.partition_point(|other| other.place() <= diagnostic.place());
        self.kept.insert(place, diagnostic);
    }

    /// Inserts the diagnostics of another list.
    pub fn append(&mut self, others: Self) {
        self.left_out += others.left_out;
        others.kept.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }

    /// Returns `true` if a further error would be left out.
    pub(crate) fn is_full_of_errors(&self) -> bool {
        let is_error = |it: &Diagnostic| it.severity == Severity::Error;
        self.kept.len() >= MAX_DIAGNOSTICS && self.kept.iter().all(is_error)
    }

    /// Counts errors that are left out.
    pub(crate) fn leave_out(&mut self, errors: usize) {
        self.left_out += errors;
    }

    /// Returns `true` if at least one diagnostic is an error.
    pub fn has_errors(&self) -> bool {
        self.iter().any(|it| it.severity == Severity::Error)
    }

    /// Turns all errors into warnings.
    #[must_use]
    pub fn into_warnings(mut self) -> Self {
        self.kept.iter_mut().for_each(|it| it.severity = Severity::Warning);
        self
    }

    /// Returns `true` if the list is empty.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Returns the number of diagnostics, those included that were left out.
    pub fn len(&self) -> usize {
        self.kept.len() + self.left_out
    }

    /// Returns the diagnostics that were kept, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.kept.iter()
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, diagnostics: I) {
        diagnostics.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.kept.into_iter()
    }
}

impl<'d> IntoIterator for &'d Diagnostics {
    type Item = &'d Diagnostic;
    type IntoIter = std::slice::Iter<'d, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { kept: vec![diagnostic], left_out: 0 }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.iter().enumerate() {
            write!(out, "{}{diagnostic}", if index == 0 { "" } else { "\n" })?;
        }
        match self.left_out {
            0 => Ok(()),
            more => write!(out, "\nand {more} more"),
        }
    }
}

impl std::error::Error for Diagnostics {}
