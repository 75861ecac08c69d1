//! Keeps YAML from seeing the inside of `${…}`.
//!
//! In `{ quantity: ${QUANTITY:-0.001} }` the braces of the variable would end the mapping. So the
//! characters of a variable that mean something to YAML are replaced, one for one, by private-use
//! characters before parsing and put back into the values afterwards. Lengths stay the same, so
//! positions do. It follows that everything in a `${…}` on one line is text, a ` #` in it as well.

use std::borrow::Cow;

/// What YAML would take as structure. Quotes and backslashes aren't among it, so that a quoted
/// scalar ends where it should and escapes work inside of a default.
const STRUCTURE: [char; 7] = ['{', '}', '[', ']', ',', ':', '#'];

/// The first code point of the last private-use plane.
const PRIVATE: u32 = 0x10_0000;

/// Whether a character is one that masking uses, which a document therefore can't contain.
pub(super) fn is_reserved(character: char) -> bool {
    original(character) != character
}

/// The text with the structure characters of every `${…}` that ends on its line hidden.
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

/// The text as it was before [`mask`].
pub(super) fn unmask(text: &str) -> Cow<'_, str> {
    if text.contains(is_reserved) {
        Cow::Owned(text.chars().map(original).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// How far a variable may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopAt {
    /// To the end of its line.
    LineEnd,
    /// To the end of the text.
    TextEnd,
}

/// The bytes of the `${…}` at the start of `text`, up to the brace that closes the first one.
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

/// Whether the brace that seems to close a variable belongs to something behind it, as in
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
