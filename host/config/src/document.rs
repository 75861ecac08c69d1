//! A document as a tree of values with their positions.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde_json::Number;

use super::diagnostic::{Diagnostic, Position, Severity};
use super::path::{ConfigPath, Segment};
use super::secrets::Secrets;

/// The content of a file, with its variables replaced, for findings about its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub(super) file: PathBuf,
    pub(super) root: Node,
    /// The values of its variables.
    pub(super) secrets: Secrets,
}

impl Default for Document {
    /// Returns a file without a name and without content.
    fn default() -> Self {
        let root = Node { position: Position::START, value: Value::Null, written: None };
        Self { file: PathBuf::new(), root, secrets: Secrets::default() }
    }
}

/// A value and its position.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) position: Position,
    pub(super) value: Value,
    /// The text as it is written in the file, if a part of the value comes from the environment.
    /// Diagnostics show this text instead of the value.
    pub(super) written: Option<String>,
}

/// A value of a document.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    Sequence(Vec<Node>),
    Mapping(IndexMap<String, Entry>),
    /// A value that has an error, which is in the report already.
    Broken,
}

/// The value of a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key_position: Position,
    pub(super) node: Node,
}

impl Node {
    /// Returns the value of a key, if this is a mapping with that key.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Value::Mapping(entries) = &self.value else { return None };
        entries.get(key).map(|entry| &entry.node)
    }

    /// Returns the value that one step of a path leads to, with the position of its key, which for
    /// an item of a list is that of the item.
    fn step(&self, segment: &Segment) -> Option<(&Self, Position)> {
        match (segment, &self.value) {
            (Segment::Key(key), Value::Mapping(entries)) => {
                entries.get(key).map(|entry| (&entry.node, entry.key_position))
            }
            (Segment::Index(index), Value::Sequence(items)) => {
                items.get(*index).map(|item| (item, item.position))
            }
            (Segment::Key(_) | Segment::Index(_), _) => None,
        }
    }

    /// Returns `true` if this value or one inside of it has an error, which is in the report already.
    pub(super) fn is_broken(&self) -> bool {
        match &self.value {
            Value::Broken => true,
            Value::Sequence(items) => items.iter().any(Self::is_broken),
            Value::Mapping(entries) => entries.values().any(|entry| entry.node.is_broken()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => false,
        }
    }
}

impl Document {
    /// Returns the path of the file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Returns the first of these keys that the mapping at a path has.
    pub fn key_of<'k>(&self, path: &ConfigPath, keys: &[&'k str]) -> Option<&'k str> {
        let node = path.segments().iter().try_fold(&self.root, |node, segment| {
            let (inner, _) = node.step(segment)?;
            Some(inner)
        })?;
        keys.iter().copied().find(|key| node.get(key).is_some())
    }

    /// Creates an error at the position of the value at `path`. The message does not show the
    /// values of variables.
    pub fn error_at(&self, path: &ConfigPath, message: impl Into<String>) -> Diagnostic {
        self.finding(Severity::Error, self.position(path), &message.into())
    }

    /// Creates an error at the position of the key at `path`, for a key that must not exist.
    pub fn error_at_key(&self, path: &ConfigPath, message: impl Into<String>) -> Diagnostic {
        self.finding(Severity::Error, self.key_position(path), &message.into())
    }

    /// Creates a warning at the position of the value at `path`.
    pub fn warning_at(&self, path: &ConfigPath, message: impl Into<String>) -> Diagnostic {
        self.finding(Severity::Warning, self.position(path), &message.into())
    }

    fn finding(&self, severity: Severity, at: Position, message: &str) -> Diagnostic {
        Diagnostic::new(&self.file, severity, self.secrets.masked(message)).at(at)
    }

    /// Returns the position of the value at a path, or of the innermost existing value around it.
    pub(super) fn position(&self, path: &ConfigPath) -> Position {
        self.walk(path).0
    }

    /// Returns the position of the key of the value at a path.
    pub(super) fn key_position(&self, path: &ConfigPath) -> Position {
        self.walk(path).1
    }

    /// Returns the positions of the value and of its key.
    fn walk(&self, path: &ConfigPath) -> (Position, Position) {
        let mut node = &self.root;
        let mut key_position = node.position;
        for segment in path.segments() {
            let Some(found) = node.step(segment) else { break };
            (node, key_position) = found;
        }
        (node.position, key_position)
    }
}
