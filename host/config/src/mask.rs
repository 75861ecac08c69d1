//! Hides the inside of `${…}` from the YAML parser.
//!
//! In `{ quantity: ${QUANTITY:-0.001} }`, the braces of the variable would end the mapping. So the
//! characters of a variable that have a meaning in YAML are replaced one by one by private-use
//! characters before parsing, and restored in the values afterwards. The number of characters stays
//! the same, and so do the positions. As a consequence, everything in a `${…}` on one line is text,
//! even a ` #`.

use std::borrow::Cow;

/// The characters that YAML would take for structure. Quotes and backslashes are not among them, so
/// that a quoted scalar ends where it should and escapes work inside of a default.
const STRUCTURE: [char; 7] = ['{', '}', '[', ']', ',', ':', '#'];

/// The first code point of the last private-use plane.
const PRIVATE: u32 = 0x10_0000;

/// Returns `true` for the characters that masking uses. A document must not contain them.
pub(super) fn is_reserved(character: char) -> bool {
    original(character) != character
}

/// Hides the structure characters of every `${…}` that ends on the line where it starts.
pub(super) fn mask(text: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        masked.push_str(&rest[..start]);
        rest = &rest[start..];
        let length = variable_length(rest, StopAt::LineEnd);
        match length.map(|length| rest.split_at(length)) {
            Some((variable, after)) if !is_unclosed(variable) => {
                masked.extend(variable.chars().map(hidden));
                rest = after;
            }
            Some(_) | None => {
                masked.push_str("${");
                rest = &rest["${".len()..];
            }
        }
    }
    if masked.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(masked + rest) }
}

/// Restores the text as it was before [`mask`].
pub(super) fn unmask(text: &str) -> Cow<'_, str> {
    if text.contains(is_reserved) {
        Cow::Owned(text.chars().map(original).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The point where the search for the end of a variable stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopAt {
    /// The end of the line.
    LineEnd,
    /// The end of the text.
    TextEnd,
}

/// Returns the length in bytes of the `${…}` at the start of `text`, up to the matching brace.
pub(super) fn variable_length(text: &str, stop: StopAt) -> Option<usize> {
    let mut depth = 0_usize;
    for (offset, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 1 => return Some(offset + 1),
            '}' => depth = depth.saturating_sub(1),
            '\n' if stop == StopAt::LineEnd => return None,
            _ => {}
        }
    }
    None
}

/// Returns `true` if the brace that seems to close a variable closes something else, as in
/// `{ a: "${X", b: 1 }`.
fn is_unclosed(variable: &str) -> bool {
    let name = variable.split(":-").next().unwrap_or_default();
    name.contains(['\'', '"'])
}

fn hidden(character: char) -> char {
    if !STRUCTURE.contains(&character) {
        return character;
    }
    char::from_u32(PRIVATE + u32::from(character)).unwrap_or(character)
}

fn original(character: char) -> char {
    STRUCTURE.into_iter().find(|&it| hidden(it) == character).unwrap_or(character)
}
