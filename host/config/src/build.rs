//! Joins the values and their marks into a tree, and replaces the variables in it.

use indexmap::IndexMap;
use indexmap::map::Entry as Place;
use serde_json::Number;

use super::Environment;
use super::diagnostic::Position;
use super::document::{Document, Entry, Node, Value};
use super::limits::{MAX_BYTES, MAX_DEPTH, MAX_VALUES};
use super::marks::{self, Mark, MarksError};
use super::mask::{self, unmask};
use super::source::{self, Finder, Report};
use super::substitute::Variables;
use super::wording::shown;
use super::yaml::{self, Raw, Scalar, resolve_plain};

/// Parses the text of a file. Returns `None` and reports an error if it is not a document.
///
/// A text without a value, such as an empty one or one of comments, is an empty document.
pub(super) fn parse(
    text: &str,
    environment: Environment<'_>,
    report: &mut Report,
) -> Option<Document> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_BYTES {
        let message = format!("the text is larger than {} MiB", MAX_BYTES >> 20);
        report.error(Position::START, message, "leave out what no configuration needs");
        return None;
    }
    if let Some(at) = source::find(text, mask::is_reserved) {
        report.error(at, "a private-use character that Hotbay reserves", "leave it out");
        return None;
    }
    let masked = mask::mask(text);
    let marks = match marks::marks(&masked) {
        Ok(marks) => marks,
        Err(error) => {
            report_refused(text, &masked, error, report);
            return None;
        }
    };
    let raw = match yaml::parse(&masked) {
        Ok(raw) => raw,
        Err(error) => {
            report_syntax(text, error, report);
            return None;
        }
    };
    let variables = Variables::new(environment);
    let mut build = Build { finder: Finder::new(text), variables, report };
    let root = build.node(raw, &marks);
    let secrets = build.variables.secrets;
    report.secrets = secrets.clone();
    Some(Document { file: report.file.clone(), root, secrets })
}

/// The largest text that serde_yaml parses for its message after the other parser refused the text:
/// that has not bounded the depth then, and serde_yaml's time grows faster than the depth.
const MAX_BYTES_FOR_MESSAGE: usize = 16 << 10;

fn report_refused(text: &str, masked: &str, error: MarksError, report: &mut Report) {
    match error {
        MarksError::Syntax { at, message } => {
            let small = masked.len() <= MAX_BYTES_FOR_MESSAGE;
            let better = if small { yaml::syntax_error(masked) } else { None };
            let other = yaml::SyntaxError { position: Some(at), message };
            report_syntax(text, better.unwrap_or(other), report);
        }
        MarksError::SecondDocument(at) => report.error(
            at,
            "the file has more than one document",
            "leave one, without the lines `---` that part them",
        ),
        MarksError::TooDeep(at) => report.error(
            at,
            format!("lists and mappings are nested more than {MAX_DEPTH} deep"),
            "close the brackets, or nest less",
        ),
        MarksError::TooMany(at) => report.error(
            at,
            format!("the file has more than {MAX_VALUES} keys and values"),
            "leave some out; what an alias stands for counts each time",
        ),
    }
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
    finder: Finder<'b>,
    variables: Variables<'b>,
    report: &'b mut Report,
}

impl Build<'_> {
    /// Builds the tree of a value.
    fn node(&mut self, raw: Raw, mark: &Mark) -> Node {
        let mut written = None;
        let value = match raw {
            Raw::Sequence(items) => Value::Sequence(self.sequence(items, mark)),
            Raw::Mapping(entries) => Value::Mapping(self.mapping(entries, mark)),
            Raw::Text(text) => {
                let text = unmask(&text);
                let (value, is_secret) = self.text(&text, mark);
                written = is_secret.then(|| text.into_owned());
                value
            }
            Raw::Scalar(scalar) => {
                let plain = mark.plain_text().unwrap_or_default();
                self.scalar(scalar, Plain { text: plain, shown: plain }, mark)
            }
        };
        Node { position: mark.position, value, written }
    }

    fn sequence(&mut self, items: Vec<Raw>, mark: &Mark) -> Vec<Node> {
        let unknown = Mark::unknown(mark.position);
        let marks = mark.items().filter(|marks| marks.len() == items.len()).unwrap_or_default();
        let marks = marks.iter().chain(std::iter::repeat(&unknown));
        items.into_iter().zip(marks).map(|(item, mark)| self.node(item, mark)).collect()
    }

    fn mapping(&mut self, entries: Vec<(Raw, Raw)>, mark: &Mark) -> IndexMap<String, Entry> {
        let unknown = (Mark::unknown(mark.position), Mark::unknown(mark.position));
        let marks = mark.entries().filter(|marks| marks.len() == entries.len()).unwrap_or_default();
        let marks = marks.iter().chain(std::iter::repeat(&unknown));
        let mut built: IndexMap<String, Entry> = IndexMap::with_capacity(entries.len());
        for ((key, value), (key_mark, mark)) in entries.into_iter().zip(marks) {
            let node = self.node(value, mark);
            let Some(key) = self.key(key, key_mark) else { continue };
            match built.entry(key) {
                Place::Occupied(first) => {
                    let line = first.get().key_position.line;
                    let key = shown(first.key());
                    let message = format!("the key `{key}` is already on line {line}");
                    self.report.error(key_mark.position, message, "leave one of the two");
                }
                Place::Vacant(place) => {
                    place.insert(Entry { key_position: key_mark.position, node });
                }
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
    /// scalar. Also returns `true` if a part of the value comes from the environment.
    fn text(&mut self, text: &str, mark: &Mark) -> (Value, bool) {
        match self.variables.substitute(text) {
            Ok(done) if done.replaced && mark.plain_text().is_some() => {
                let plain = done.text.trim();
                let shown = if done.is_secret { text } else { plain };
                let value = match resolve_plain(plain) {
                    Some(scalar) => self.scalar(scalar, Plain { text: plain, shown }, mark),
                    None => Value::Text(done.text),
                };
                (value, done.is_secret)
            }
            Ok(done) => (Value::Text(done.text), done.is_secret),
            Err(problems) if self.report.is_full() => {
                self.report.leave_out(problems.len());
                (Value::Broken, false)
            }
            Err(problems) => {
                for problem in problems {
                    let at = self.finder.find_from(mark.position, &problem.written);
                    self.report.error(at.unwrap_or(mark.position), problem.message, problem.help);
                }
                (Value::Broken, false)
            }
        }
    }

    fn scalar(&mut self, scalar: Scalar, plain: Plain<'_>, mark: &Mark) -> Value {
        match scalar {
            Scalar::Null => Value::Null,
            Scalar::Bool(value) => Value::Bool(value),
            Scalar::Unsigned(value) => Value::Number(value.into()),
            Scalar::Signed(value) => Value::Number(value.into()),
            Scalar::Float(value) => self.float(value, plain, mark),
            Scalar::Huge => {
                let message = format!("the number {} doesn't fit into 64 bits", shown(plain.shown));
                self.report.error(mark.position, message, "put it in quotes to keep it as text");
                Value::Broken
            }
        }
    }

    fn float(&mut self, value: f64, plain: Plain<'_>, mark: &Mark) -> Value {
        let written = shown(plain.shown);
        let Some(number) = Number::from_f64(value) else {
            let message = format!("`{written}` isn't a number that a configuration can hold");
            self.report.error(mark.position, message, "");
            return Value::Broken;
        };
        if !plain.text.is_empty() && digits(plain.text) != digits(&number.to_string()) {
            let becomes = if plain.shown == plain.text {
                format!("has too many digits and becomes {number}")
            } else {
                "has too many digits".to_owned()
            };
            let help = "put it in quotes if every digit counts";
            self.report.warning(mark.position, format!("the number {written} {becomes}"), help);
        }
        Value::Number(number)
    }
}

/// The text of a scalar without quotes.
#[derive(Debug, Clone, Copy)]
struct Plain<'t> {
    /// The text with its variables replaced.
    text: &'t str,
    /// What messages show: with its variables, if a value of them comes from the environment.
    shown: &'t str,
}

/// Returns the significant digits of a decimal number.
fn digits(number: &str) -> String {
    let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
    let all: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    all.trim_matches('0').to_owned()
}
