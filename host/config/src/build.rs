//! Joins the values and their marks into a tree, and replaces the variables in it.

use serde_json::Number;

use super::Environment;
use super::document::{Entry, Node, Value};
use super::marks::Mark;
use super::mask::unmask;
use super::source::{self, Report};
use super::substitute::substitute;
use super::yaml::{Raw, Scalar, resolve_plain};

/// Builds the tree of one text.
pub(super) struct Build<'b> {
    /// The text of the file, for the positions of variables.
    pub(super) text: &'b str,
    pub(super) environment: Environment<'b>,
    pub(super) report: &'b mut Report,
}

impl Build<'_> {
    /// Builds the tree of a value.
    pub(super) fn node(&mut self, raw: Raw, mark: &Mark) -> Node {
        let value = match raw {
            Raw::Sequence(items) => Value::Sequence(self.sequence(items, mark)),
            Raw::Mapping(entries) => Value::Mapping(self.mapping(entries, mark)),
            Raw::Text(text) => self.text(&unmask(&text), mark),
            Raw::Scalar(scalar) => self.scalar(scalar, mark.plain_text().unwrap_or_default(), mark),
        };
        Node { position: mark.position, value }
    }

    fn sequence(&mut self, items: Vec<Raw>, mark: &Mark) -> Vec<Node> {
        let unknown = Mark::unknown(mark.position);
        let marks = mark.items().filter(|marks| marks.len() == items.len()).unwrap_or_default();
        let marks = marks.iter().chain(std::iter::repeat(&unknown));
        items.into_iter().zip(marks).map(|(item, mark)| self.node(item, mark)).collect()
    }

    fn mapping(&mut self, entries: Vec<(Raw, Raw)>, mark: &Mark) -> Vec<Entry> {
        let unknown = (Mark::unknown(mark.position), Mark::unknown(mark.position));
        let marks = mark.entries().filter(|marks| marks.len() == entries.len()).unwrap_or_default();
        let marks = marks.iter().chain(std::iter::repeat(&unknown));
        let mut built: Vec<Entry> = Vec::with_capacity(entries.len());
        for ((key, value), (key_mark, mark)) in entries.into_iter().zip(marks) {
            let node = self.node(value, mark);
            let Some(key) = self.key(key, key_mark) else { continue };
            match built.iter().find(|other| other.key == key) {
                Some(first) => self.report.error(
                    key_mark.position,
                    format!("the key `{key}` is already on line {}", first.key_position.line),
                    "leave one of the two",
                ),
                None => built.push(Entry { key, key_position: key_mark.position, node }),
            }
        }
        built
    }

    fn key(&mut self, key: Raw, mark: &Mark) -> Option<String> {
        let text = match (key, mark.plain_text()) {
            (Raw::Text(text), _) => unmask(&text).into_owned(),
            (Raw::Sequence(_) | Raw::Mapping(_), _) | (_, None) => {
                self.report.error(mark.position, "a key has to be text", "");
                return None;
            }
            (_, Some(number)) => number.to_owned(),
        };
        let at = mark.position;
        if text.contains("${") {
            self.report.error(at, "a variable in a key", "variables are replaced in values only");
        } else if text == "<<" {
            self.report.error(at, "merge keys aren't supported", "write the keys out");
        } else {
            return Some(text);
        }
        None
    }

    /// Replaces the variables of a text. Without quotes, the result is resolved like a plain
    /// scalar.
    fn text(&mut self, text: &str, mark: &Mark) -> Value {
        match substitute(text, self.environment) {
            Ok(done) if done.replaced && mark.plain_text().is_some() => {
                match resolve_plain(&done.text) {
                    Some(scalar) => self.scalar(scalar, done.text.trim(), mark),
                    None => Value::Text(done.text),
                }
            }
            Ok(done) => Value::Text(done.text),
            Err(problems) => {
                for problem in problems {
                    let at = source::find_from(self.text, mark.position, &problem.written);
                    let at = at.unwrap_or(mark.position);
                    self.report.error(at, problem.message, problem.help);
                }
                Value::Broken
            }
        }
    }

    fn scalar(&mut self, scalar: Scalar, written: &str, mark: &Mark) -> Value {
        match scalar {
            Scalar::Null => Value::Null,
            Scalar::Bool(value) => Value::Bool(value),
            Scalar::Unsigned(value) => Value::Number(value.into()),
            Scalar::Signed(value) => Value::Number(value.into()),
            Scalar::Float(value) => self.float(value, written, mark),
            Scalar::Huge => self.too_large(written, mark),
        }
    }

    fn float(&mut self, value: f64, written: &str, mark: &Mark) -> Value {
        let Some(number) = Number::from_f64(value) else {
            let message = format!("`{written}` isn't a number that a configuration can hold");
            self.report.error(mark.position, message, "");
            return Value::Broken;
        };
        if !written.is_empty() && digits(written) != digits(&number.to_string()) {
            self.report.warning(
                mark.position,
                format!("the number {written} has too many digits and becomes {number}"),
                "put it in quotes if every digit counts",
            );
        }
        Value::Number(number)
    }

    fn too_large(&mut self, written: &str, mark: &Mark) -> Value {
        let message = format!("the number {written} doesn't fit into 64 bits");
        self.report.error(mark.position, message, "put it in quotes to keep it as text");
        Value::Broken
    }
}

/// Returns the significant digits of a decimal number.
fn digits(number: &str) -> String {
    let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
    let all: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    all.trim_matches('0').to_owned()
}
