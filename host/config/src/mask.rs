//! Hides the inside of `${…}` from the YAML parser.
//!
//! In `{ quantity: ${QUANTITY:-0.001} }`, the braces of the variable would end the mapping. So the
//! characters of a variable that have a meaning in YAML are replaced one by one by private-use
//! characters before parsing, and restored in the values afterwards. The number of characters stays
//! the same, and so do the positions. As a consequence, everything in a `${…}` on one line is text,
//! even a ` #`.

use std::borrow::Cow;
use std::collections::HashMap;

/// The characters that YAML would take for structure. Quotes and backslashes are not among them, so
/// that a quoted scalar ends where it should and escapes work inside of a default.
const STRUCTURE: [char; 7] = ['{', '}', '[', ']', ',', ':', '#'];

/// Line breaks for serde_yaml, which follows YAML 1.1, but not for the parser of the positions, which
/// follows YAML 1.2. They are hidden wherever they are, so that both see the same lines.
const BREAKS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

/// The first code point of the last private-use plane.
const PRIVATE: u32 = 0x10_0000;

/// Returns `true` for the characters that masking uses. A document must not contain them.
pub(super) fn is_reserved(character: char) -> bool {
    original(character) != character
}

/// Hides the structure characters of every `${…}` that ends on the line where it starts.
pub(super) fn mask(text: &str) -> Cow<'_, str> {
    if !text.contains("${") && !text.contains(BREAKS) {
        return Cow::Borrowed(text);
    }
    let ends = variable_ends(text);
    let (mut quotes, mut defaults) =
        (Next::new(|it| it.find(['\'', '"'])), Next::new(|it| it.find(":-")));
    let mut masked = String::with_capacity(text.len());
    let mut done = 0;
    while let Some(start) = text[done..].find("${").map(|offset| done + offset) {
        masked.extend(text[done..start].chars().map(hidden_break));
        // The brace that seems to close a variable may close something else, as in
        // `{ a: "${X", b: 1 }`. Then there is a quote in the name.
        let end = ends.get(&start).copied().filter(|end| {
            let name_end = defaults.at_or_after(text, start).min(*end);
            quotes.at_or_after(text, start) >= name_end
        });
        done = end.unwrap_or(start + "${".len());
        if end.is_some() {
            masked.extend(text[start..done].chars().map(hidden));
        } else {
            masked.push_str("${");
        }
    }
    masked.extend(text[done..].chars().map(hidden_break));
    Cow::Owned(masked)
}

/// Returns the end of each `${…}` that ends on the line where it starts, by its start.
fn variable_ends(text: &str) -> HashMap<usize, usize> {
    let (mut ends, mut open) = (HashMap::new(), Vec::new());
    for (offset, character) in text.char_indices() {
        match character {
            '{' => open.push(offset),
            '}' => {
                let start = open.pop().filter(|brace| text[..*brace].ends_with('$'));
                ends.extend(start.map(|brace| (brace - 1, offset + 1)));
            }
            '\n' | '\r' => open.clear(),
            _ => {}
        }
    }
    ends
}

/// Finds something at or after positions that only rise, so that the text is searched once.
struct Next {
    find: fn(&str) -> Option<usize>,
    found: usize,
}

impl Next {
    fn new(find: fn(&str) -> Option<usize>) -> Self {
        Self { find, found: 0 }
    }

    /// Returns the first match at or after `from`, or `usize::MAX`.
    fn at_or_after(&mut self, text: &str, from: usize) -> usize {
        if self.found <= from {
            let found = (self.find)(&text[from..]);
            self.found = found.map_or(usize::MAX, |offset| from + offset);
        }
        self.found
    }
}

/// Restores the text as it was before [`mask`].
pub(super) fn unmask(text: &str) -> Cow<'_, str> {
    if text.contains(is_reserved) {
        Cow::Owned(text.chars().map(original).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Returns the length in bytes of the `${…}` at the start of `text`, up to the matching brace.
pub(super) fn variable_length(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (offset, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 1 => return Some(offset + 1),
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// Hides a character of a variable.
fn hidden(character: char) -> char {
    if STRUCTURE.contains(&character) { moved(character) } else { hidden_break(character) }
}

/// Hides a character outside of a variable.
fn hidden_break(character: char) -> char {
    if BREAKS.contains(&character) { moved(character) } else { character }
}

fn moved(character: char) -> char {
    char::from_u32(PRIVATE + u32::from(character)).unwrap_or(character)
}

fn original(character: char) -> char {
    // Nearly all characters end here, before anything is compared.
    let Some(plain) = u32::from(character).checked_sub(PRIVATE).and_then(char::from_u32) else {
        return character;
    };
    if STRUCTURE.contains(&plain) || BREAKS.contains(&plain) { plain } else { character }
}
