//! Rewords the errors of serde in the terms that operators know.

use serde::de::{Expected, Unexpected};

/// Formats names as a list in backquotes.
pub(super) fn listed<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let quoted: Vec<_> = names.into_iter().map(|name| format!("`{}`", name.as_ref())).collect();
    quoted.join(", ")
}

/// Suggests what could be written instead of `found`: the most similar name first, then all names.
pub(super) fn instead_of(found: &str, known: &[&str]) -> String {
    let expected = match known {
        [] => "no key is expected here".to_owned(),
        [only] => format!("expected `{only}`"),
        _ => format!("expected one of {}", listed(known)),
    };
    match closest(found, known) {
        Some(likely) if known.len() > 1 => format!("did you mean `{likely}`? {expected}"),
        _ => expected,
    }
}

/// Returns the known name that `found` is probably a misspelling of.
pub(super) fn closest<'k>(found: &str, known: &[&'k str]) -> Option<&'k str> {
    let distance = |word: &str| strsim::damerau_levenshtein(found, word);
    let likely = known.iter().copied().min_by_key(|word| distance(word))?;
    (distance(likely) <= (likely.chars().count() / 3).max(1)).then_some(likely)
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
        Unexpected::Str(text) => format!("the string {:?}", shortened(text)),
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

fn shortened(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
