//! Where the values of a document stand, and how they are written.
//!
//! serde_yaml tells places in its errors only, so a second parser, which keeps them, reads the
//! same text for them. It decides about no value: where the two see different structure, values
//! fall back to the place of what is around them.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::diagnostic::Position;

/// The place of one value and the places inside of it.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    pub(super) position: Position,
    /// Shared, as an alias has the inside of its anchor.
    inside: Rc<Inside>,
}

/// What kind of value stands at a mark.
#[derive(Debug)]
enum Inside {
    /// A scalar without quotes or tag, as it is written.
    Plain(String),
    /// A scalar that is text whatever it says.
    Quoted,
    Sequence(Vec<Mark>),
    Mapping(Vec<(Mark, Mark)>),
}

impl Mark {
    fn new(position: Position, inside: Inside) -> Self {
        Self { position, inside: Rc::new(inside) }
    }

    /// A mark of which nothing but the place is known.
    pub(super) fn only_place(position: Position) -> Self {
        Self::new(position, Inside::Quoted)
    }

    /// What is written here, if it is a scalar without quotes or tag.
    pub(super) fn plain_text(&self) -> Option<&str> {
        if let Inside::Plain(text) = &*self.inside { Some(text) } else { None }
    }

    /// The marks of the items, if this is a list.
    pub(super) fn items(&self) -> Option<&[Mark]> {
        if let Inside::Sequence(items) = &*self.inside { Some(items) } else { None }
    }

    /// The marks of keys and values, if this is a mapping.
    pub(super) fn entries(&self) -> Option<&[(Mark, Mark)]> {
        if let Inside::Mapping(entries) = &*self.inside { Some(entries) } else { None }
    }
}

/// The mark of the document, as far as the parser gets.
pub(super) fn marks(text: &str) -> Mark {
    let mut anchors: HashMap<usize, Mark> = HashMap::new();
    let mut open: Vec<Open> = Vec::new();
    // A damaged document ends here early; serde_yaml has then told what is wrong with it.
    for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
        let position = start_of(span);
        let (anchor, mark) = match event {
            Event::Scalar(text, ScalarStyle::Plain, anchor, None) => {
                (anchor, Mark::new(position, Inside::Plain(text.into_owned())))
            }
            Event::Scalar(_, _, anchor, _) => (anchor, Mark::new(position, Inside::Quoted)),
            Event::Alias(anchor) => {
                let target = anchors.get(&anchor).cloned();
                let fallback = || Mark::only_place(position);
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
    Mark::only_place(Position::START)
}

/// A list or mapping whose end hasn't come.
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
