//! The positions of a document's values, and whether each scalar is written without quotes.
//!
//! serde_yaml tells positions in its errors only, and reads a whole document before it gives any of
//! it away. So a second parser reads the text first. It keeps the positions, and stops at the limits
//! of depth and number. The second parser decides no value: where the two parsers see different
//! structure, values get the position of the value around them.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::diagnostic::Position;
use super::limits::{MAX_DEPTH, MAX_VALUES};

/// The position of a value, and the marks of the values inside of it.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    pub(super) position: Position,
    /// The number of values, this one and those inside of it.
    values: usize,
    /// The number of lists and mappings on the way to the innermost value.
    depth: usize,
    /// Shared, because an alias has the content of its anchor.
    inside: Rc<Inside>,
}

/// The kind of value at a mark.
#[derive(Debug)]
enum Inside {
    /// A scalar without quotes and tag, as it is written.
    Plain(String),
    /// A scalar that is always text.
    Quoted,
    Sequence(Vec<Mark>),
    Mapping(Vec<(Mark, Mark)>),
}

/// Why a text has no marks.
#[derive(Debug)]
pub(super) enum MarksError {
    /// The text is not YAML.
    Syntax { at: Position, message: String },
    /// A second document begins at this position.
    SecondDocument(Position),
    /// The value at this position is nested too deep.
    TooDeep(Position),
    /// With the value at this position, there are too many.
    TooMany(Position),
}

impl Mark {
    fn scalar(position: Position, inside: Inside) -> Self {
        Self { position, values: 1, depth: 0, inside: Rc::new(inside) }
    }

    /// Creates a mark of which only the position is known.
    pub(super) fn unknown(position: Position) -> Self {
        Self::scalar(position, Inside::Quoted)
    }

    /// Returns the text of a scalar without quotes and tag.
    pub(super) fn plain_text(&self) -> Option<&str> {
        if let Inside::Plain(text) = &*self.inside { Some(text) } else { None }
    }

    /// Returns the marks of the items of a list.
    pub(super) fn items(&self) -> Option<&[Mark]> {
        if let Inside::Sequence(items) = &*self.inside { Some(items) } else { None }
    }

    /// Returns the marks of the keys and values of a mapping.
    pub(super) fn entries(&self) -> Option<&[(Mark, Mark)]> {
        if let Inside::Mapping(entries) = &*self.inside { Some(entries) } else { None }
    }
}

/// Parses the text and returns the mark of its only document.
///
/// # Errors
/// If the text is not YAML, has several documents, or exceeds a limit.
pub(super) fn marks(text: &str) -> Result<Mark, MarksError> {
    let mut reading = Reading::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| MarksError::Syntax {
            at: position(error.marker().line(), error.marker().col()),
            message: error.info().to_owned(),
        })?;
        reading.take(event, span)?;
    }
    Ok(reading.document.unwrap_or_else(|| Mark::unknown(Position::START)))
}

/// What was parsed so far.
#[derive(Default)]
struct Reading {
    anchors: HashMap<usize, Mark>,
    open: Vec<Open>,
    document: Option<Mark>,
}

impl Reading {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), MarksError> {
        let at = position(span.start.line(), span.start.col());
        let (anchor, mark) = match event {
            Event::Scalar(text, ScalarStyle::Plain, anchor, None) => {
                (anchor, Mark::scalar(at, Inside::Plain(text.into_owned())))
            }
            Event::Scalar(_, _, anchor, _) => (anchor, Mark::unknown(at)),
            Event::Alias(anchor) => {
                let target = self.anchors.get(&anchor).cloned();
                let fallback = || Mark::unknown(at);
                (0, Mark { position: at, ..target.unwrap_or_else(fallback) })
            }
            Event::SequenceStart(anchor, _) => return self.open(at, anchor, false),
            Event::MappingStart(anchor, _) => return self.open(at, anchor, true),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(done) => (done.anchor, done.close()),
                None => return Ok(()),
            },
            Event::DocumentStart(_) if self.document.is_some() => {
                return Err(MarksError::SecondDocument(at));
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => return Ok(()),
        };
        if self.open.len() + mark.depth > MAX_DEPTH {
            return Err(MarksError::TooDeep(at));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, mark.clone());
        }
        let Some(parent) = self.open.last_mut() else {
            self.document = Some(mark);
            return Ok(());
        };
        parent.values = parent.values.saturating_add(mark.values);
        if parent.values > MAX_VALUES {
            return Err(MarksError::TooMany(at));
        }
        parent.depth = parent.depth.max(mark.depth);
        parent.children.push(mark);
        Ok(())
    }

    fn open(&mut self, at: Position, anchor: usize, is_mapping: bool) -> Result<(), MarksError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(MarksError::TooDeep(at));
        }
        let children = Vec::new();
        self.open.push(Open { anchor, position: at, is_mapping, children, values: 1, depth: 0 });
        Ok(())
    }
}

/// A list or mapping whose end has not been parsed yet.
struct Open {
    anchor: usize,
    position: Position,
    is_mapping: bool,
    children: Vec<Mark>,
    /// The number of values so far, this one included.
    values: usize,
    /// The largest depth of a child so far.
    depth: usize,
}

impl Open {
    fn close(self) -> Mark {
        let inside = if self.is_mapping {
            let mut children = self.children.into_iter();
            let pairs = std::iter::from_fn(|| Some((children.next()?, children.next()?)));
            Inside::Mapping(pairs.collect())
        } else {
            Inside::Sequence(self.children)
        };
        let Self { position, values, depth, .. } = self;
        Mark { position, values, depth: depth + 1, inside: Rc::new(inside) }
    }
}

fn position(line: usize, column: usize) -> Position {
    Position { line: line.max(1), column: column + 1 }
}
