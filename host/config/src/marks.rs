//! The positions of a document's values, and whether each scalar is written without quotes.
//!
//! serde_yaml tells positions in its errors only. So a second parser, which keeps them, parses the
//! same text. The second parser decides no value: where the two parsers see different structure,
//! values get the position of the value around them.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::diagnostic::Position;

/// The position of a value, and the marks of the values inside of it.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    pub(super) position: Position,
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

impl Mark {
    fn new(position: Position, inside: Inside) -> Self {
        Self { position, inside: Rc::new(inside) }
    }

    /// Creates a mark of which only the position is known.
    pub(super) fn unknown(position: Position) -> Self {
        Self::new(position, Inside::Quoted)
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

/// Parses the text and returns the mark of the document.
pub(super) fn marks(text: &str) -> Mark {
    let mut anchors: HashMap<usize, Mark> = HashMap::new();
    let mut open: Vec<Open> = Vec::new();
    // The parser stops at the first syntax error, which serde_yaml has reported already.
    for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
        let position = start_of(span);
        let (anchor, mark) = match event {
            Event::Scalar(text, ScalarStyle::Plain, anchor, None) => {
                (anchor, Mark::new(position, Inside::Plain(text.into_owned())))
            }
            Event::Scalar(_, _, anchor, _) => (anchor, Mark::new(position, Inside::Quoted)),
            Event::Alias(anchor) => {
                let target = anchors.get(&anchor).cloned();
                let fallback = || Mark::unknown(position);
                (0, Mark { position, ..target.unwrap_or_else(fallback) })
            }
            Event::SequenceStart(anchor, _) => {
                open.push(Open { anchor, position, is_mapping: false, children: Vec::new() });
                continue;
            }
            Event::MappingStart(anchor, _) => {
                open.push(Open { anchor, position, is_mapping: true, children: Vec::new() });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(done) => (done.anchor, done.close()),
                None => continue,
            },
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => continue,
        };
        anchors.insert(anchor, mark.clone());
        match open.last_mut() {
            Some(parent) => parent.children.push(mark),
            None => return mark,
        }
    }
    Mark::unknown(Position::START)
}

/// A list or mapping whose end has not been parsed yet.
struct Open {
    anchor: usize,
    position: Position,
    is_mapping: bool,
    children: Vec<Mark>,
}

impl Open {
    fn close(self) -> Mark {
        if !self.is_mapping {
            return Mark::new(self.position, Inside::Sequence(self.children));
        }
        let mut children = self.children.into_iter();
        let pairs = std::iter::from_fn(|| Some((children.next()?, children.next()?)));
        Mark::new(self.position, Inside::Mapping(pairs.collect()))
    }
}

fn start_of(span: Span) -> Position {
    Position { line: span.start.line().max(1), column: span.start.col() + 1 }
}
