//! A document as a tree of values with their positions.

use std::path::PathBuf;

use serde_json::Number;

use super::diagnostic::Position;
use super::path::{ConfigPath, Segment};
use super::source::{self, Report};
use super::{Environment, build, marks, mask, yaml};

/// The content of a file, with its variables replaced.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) file: PathBuf,
    pub(super) root: Node,
}

/// A value and its position.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) position: Position,
    pub(super) value: Value,
}

/// A value of a document.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
    /// A value that has an error, which is in the report already.
    Broken,
}

/// A key of a mapping and its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_position: Position,
    pub(super) node: Node,
}

impl Node {
    /// Returns the value of a key, if this is a mapping with that key.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Value::Mapping(entries) = &self.value else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }
}

impl Document {
    /// Parses a text. Returns `None` and reports an error if it is not a document.
    pub(super) fn parse(
        text: &str,
        environment: Environment<'_>,
        report: &mut Report,
    ) -> Option<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if let Some(at) = source::find(text, mask::is_reserved) {
            report.error(at, "a private-use character that Hotbay reserves", "leave it out");
            return None;
        }
        let masked = mask::mask(text);
        let raw = match yaml::parse(&masked) {
            Ok(raw) => raw,
            Err(error) => {
                report_syntax(text, error, report);
                return None;
            }
        };
        if raw == yaml::Raw::Scalar(yaml::Scalar::Null) {
            let help = "a configuration has at least `plugins: { folder: ./plugins }`";
            report.error(Position::START, "the file is empty", help);
            return None;
        }
        let marks = marks::marks(&masked);
        let root = build::Build { text, environment, report }.node(raw, &marks);
        Some(Self { file: report.file.clone(), root })
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
            let next = match (segment, &node.value) {
                (Segment::Key(key), Value::Mapping(entries)) => entries
                    .iter()
                    .find(|entry| entry.key == *key)
                    .map(|entry| (&entry.node, entry.key_position)),
                (Segment::Index(index), Value::Sequence(items)) => {
                    items.get(*index).map(|item| (item, item.position))
                }
                (Segment::Key(_) | Segment::Index(_), _) => None,
            };
            match next {
                Some(found) => (node, key_position) = found,
                None => break,
            }
        }
        (node.position, key_position)
    }
}

fn report_syntax(text: &str, error: yaml::SyntaxError, report: &mut Report) {
    let message = mask::unmask(&error.message).into_owned();
    let mut at = error.position.unwrap_or(Position::START);
    let mut message = format!("this isn't YAML: {message}");
    let is_control = |it: char| it.is_control() && !"\t\r\n\u{85}".contains(it);
    let help = if message.contains("control characters") {
        at = source::find(text, is_control).unwrap_or(at);
        message = "this isn't YAML: a control character".into();
        "leave it out, or write it as `\"\\x00\"`"
    } else if message.contains("more than one document") {
        message = "the file has more than one document".into();
        "leave one, without the lines `---` that part them"
    } else if character_at(text, at) == Some('\t') {
        "indent with spaces; YAML doesn't take tabs"
    } else if message.contains("cannot start any token") || message.contains("mapping values") {
        "put a value with special characters in quotes, and check the indentation"
    } else if message.contains("expected ',' or") {
        "close the bracket, or put a value with `{`, `[` or `,` in quotes"
    } else {
        ""
    };
    report.error(at, message, help);
}

fn character_at(text: &str, at: Position) -> Option<char> {
    text.lines().nth(at.line - 1)?.chars().nth(at.column - 1)
}
