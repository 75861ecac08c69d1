//! What is wrong with a configuration, and where.

use std::fmt;
use std::path::{Path, PathBuf};

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Position {
    /// The first character of a text.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// Whether a finding stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The configuration can't be used.
    Error,
    /// The configuration can be used, and this is probably not what its author wants.
    Warning,
}

/// One finding, shown as `file:line:column: message; help`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, as it was named.
    pub file: PathBuf,
    /// The place; none if the file as a whole is meant.
    pub position: Option<Position>,
    /// Whether the finding stands in the way.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A finding about a file as a whole.
    pub fn new(file: &Path, severity: Severity, message: impl Into<String>) -> Self {
        Self { file: file.into(), position: None, severity, message: message.into(), help: None }
    }

    /// The same finding at a place.
    #[must_use]
    pub fn at(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }

    /// Whether both say the same of one place, however its file was named.
    pub fn says_the_same(&self, other: &Self) -> bool {
        (self.position, &self.message) == (other.position, &other.message)
    }

    /// The same finding with what to do about it.
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

/// Findings in the order of their places, each once; displayed one to a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// No findings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a finding at its place in the order.
    pub fn push(&mut self, finding: Diagnostic) {
        // An aliased entry is read once for every use of it and finds the same each time.
        if !self.0.contains(&finding) {
            let place = self.0.partition_point(|other| other.place() <= finding.place());
            self.0.insert(place, finding);
        }
    }

    /// Whether a finding stands in the way.
    pub fn has_errors(&self) -> bool {
        self.iter().any(|it| it.severity == Severity::Error)
    }

    /// The same findings, none of which stands in the way.
    #[must_use]
    pub fn into_warnings(mut self) -> Self {
        self.0.iter_mut().for_each(|it| it.severity = Severity::Warning);
        self
    }

    /// Whether there is no finding at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of findings.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The findings in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, findings: I) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
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
    fn from(finding: Diagnostic) -> Self {
        Self(vec![finding])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.iter().enumerate() {
            write!(out, "{}{finding}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}
