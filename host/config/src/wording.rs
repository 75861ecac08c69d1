//! Rewords the errors of serde in the terms that operators know.

use serde::de::{Expected, Unexpected};

/// The longest text that a message quotes, in characters.
const LONGEST: usize = 60;

/// The most names that a message lists.
const MOST_NAMES: usize = 20;

/// The most names that a misspelling is compared with.
const MOST_COMPARED: usize = 1_000;

/// Returns a text as a message quotes it: in one line, without characters that a terminal would
/// obey, and not too long.
pub(super) fn shown(text: &str) -> String {
    let end = text.char_indices().nth(LONGEST).map(|(end, _)| end);
    let mut shown = String::new();
    for character in text[..end.unwrap_or(text.len())].chars() {
        let is_plain = character == '\'' || character == '"' || character == '\\';
        if is_plain { shown.push(character) } else { shown.extend(character.escape_debug()) }
    }
    if end.is_some() {
        shown.push('…');
    }
    shown
}

/// Formats names as a list in backquotes. A long list is shortened.
pub fn listed<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let mut names = names.into_iter();
    let quote = |name: S| format!("`{}`", shown(name.as_ref()));
    let mut quoted: Vec<_> = names.by_ref().take(MOST_NAMES).map(quote).collect();
    let more = names.count();
    if more > 0 {
        quoted.push(format!("and {more} more"));
    }
    quoted.join(", ")
}

/// Suggests what could be written instead of `found`: the most similar name first, then all names.
pub(super) fn instead_of(found: &str, known: &[&str]) -> String {
    let expected = match known {
        [] => "no key is expected here".to_owned(),
        [only] => format!("expected `{only}`"),
        _ => format!("expected one of {}", listed(known)),
    };
    match closest(found, known.iter().copied()) {
        Some(likely) if known.len() > 1 => format!("did you mean `{likely}`? {expected}"),
        _ => expected,
    }
}

/// Returns a help that begins with the known name that `found` is probably a misspelling of.
pub fn suggestion<'k>(
    found: &str,
    known: impl IntoIterator<Item = &'k str>,
    otherwise: &str,
) -> String {
    match closest(found, known) {
        Some(likely) => format!("did you mean `{likely}`? {otherwise}"),
        None => otherwise.to_owned(),
    }
}

/// Returns the known name that `found` is probably a misspelling of.
///
/// A name is taken for a misspelling if at most a third of its characters differ. Very long names
/// are not compared, and of very many names only the first.
pub fn closest<'k>(found: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let length = found.chars().count();
    if length > LONGEST {
        return None;
    }
    let candidates = known.into_iter().take(MOST_COMPARED).filter_map(|word| {
        let size = word.chars().count();
        let most = (size / 3).max(1);
        if size.abs_diff(length) > most {
            return None;
        }
        let distance = strsim::damerau_levenshtein(found, word);
        (distance <= most).then_some((distance, word))
    });
    candidates.min_by_key(|(distance, _)| *distance).map(|(_, word)| word)
}

/// Translates the name that serde has for a type.
pub(super) fn expected(expected: &dyn Expected) -> String {
    let name = expected.to_string();
    match name.as_str() {
        "usize" | "u64" | "u32" | "u16" | "u8" => "a whole number".into(),
        "isize" | "i64" | "i32" | "i16" | "i8" => "a whole number, which may be negative".into(),
        "f64" | "f32" => "a number".into(),
        "a string" => "text".into(),
        "a boolean" => "`true` or `false`".into(),
        "a sequence" => "a list".into(),
        "a map" => "a mapping".into(),
        _ => name,
    }
}

/// Describes an unexpected value. A long value is shortened.
pub(super) fn found(unexpected: &Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(value) => format!("the number {value}"),
        Unexpected::Signed(value) => format!("the number {value}"),
        Unexpected::Float(value) => format!("the number {value}"),
        Unexpected::Str(text) => format!("the string \"{}\"", shown(text)),
        Unexpected::Unit | Unexpected::Option => "nothing".into(),
        Unexpected::Seq => "a list".into(),
        Unexpected::Map => "a mapping".into(),
        Unexpected::Char(_)
        | Unexpected::Bytes(_)
        | Unexpected::NewtypeStruct
        | Unexpected::Enum
        | Unexpected::UnitVariant
        | Unexpected::NewtypeVariant
        | Unexpected::TupleVariant
        | Unexpected::StructVariant
        | Unexpected::Other(_) => unexpected.to_string(),
    }
}
