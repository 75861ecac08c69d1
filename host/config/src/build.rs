//! Joins the values and their marks into a tree, and replaces the variables in it.

use serde_json::Number;

use super::Environment;
use super::diagnostic::Position;
use super::document::{Document, Entry, Node, Value};
use super::marks::{self, Mark};
use super::mask::{self, unmask};
use super::source::{self, Report};
use super::substitute::substitute;
use super::yaml::{self, Raw, Scalar, resolve_plain};

/// Parses the text of a configuration file. Returns `None` and reports an error if it is not a
/// document.
pub(super) fn parse(
    text: &str,
    environment: Environment<'_>,
    report: &mut Report,
) -> Option<Document> {
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
    if raw == Raw::Scalar(Scalar::Null) {
        let help = "a configuration has at least `plugins: { folder: ./plugins }`";
        report.error(Position::START, "the file is empty", help);
        return None;
    }
    let marks = marks::marks(&masked);
    let root = Build { text, environment, report }.node(raw, &marks);
    Some(Document { file: report.file.clone(), root })
}

fn report_syntax(text: &str, error: yaml::SyntaxError, report: &mut Report) {
    let message = unmask(&error.message).into_owned();
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

/// Builds the tree of one text.
struct Build<'b> {
    /// The text of the file, for the positions of variables.
    text: &'b str,
    environment: Environment<'b>,
    report: &'b mut Report,
}

impl Build<'_> {
    /// Builds the tree of a value.
    fn node(&mut self, raw: Raw, mark: &Mark) -> Node {
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
