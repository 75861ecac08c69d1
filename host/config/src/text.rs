//! Makes texts from outside fit for a terminal and for a log: names of files, messages of plugins.
//!
//! Texts are kept as they are, and are escaped once, where they leave the program.

use std::{borrow::Cow, fmt};

/// Returns `true` if a character can be seen and affects nothing but its own place.
///
/// Control characters do something to a terminal; line breaks begin what looks like another line;
/// marks of direction and characters without a width make a text look like another one.
pub fn is_printable(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{600}'..='\u{605}'
                | '\u{61c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{17b4}'
                | '\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Returns a text as one line in which everything can be seen: `\n`, `\t`, `\u{1b}`.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_printable) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    // Writing to a string can't fail.
    let _infallible = fmt::Write::write_str(&mut Escape(&mut out), text);
    Cow::Owned(out)
}

/// Escapes what is written through it, as [`escaped`] does.
#[derive(Debug)]
pub struct Escape<W>(pub W);

impl<W: fmt::Write> fmt::Write for Escape<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(|it| !is_printable(it)) {
            let (plain, odd) = rest.split_at(at);
            self.0.write_str(plain)?;
            let mut characters = odd.chars();
            for escape in characters.next().into_iter().flat_map(char::escape_default) {
                self.0.write_char(escape)?;
            }
            rest = characters.as_str();
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_seen_stays_as_it_is() {
        for text in ["", "größe 价格 ⚠️ 🦀", "a\\n \"b\"", "e\u{301}\u{a0}\u{3000}"] {
            assert!(matches!(escaped(text), Cow::Borrowed(same) if same == text), "{text:?}");
        }
    }

    #[test]
    fn control_characters_line_breaks_and_invisible_marks_are_escaped() {
        assert_eq!(escaped("a\x1b[2J\x07\x7f\u{9b}b"), "a\\u{1b}[2J\\u{7}\\u{7f}\\u{9b}b");
        assert_eq!(escaped("a\r\nb\tc\u{2028}d\u{85}"), "a\\r\\nb\\tc\\u{2028}d\\u{85}");
        for odd in "\u{202e}\u{2066}\u{200e}\u{61c}\u{200b}\u{feff}\u{ad}\u{e0041}\u{3164}".chars()
        {
            assert!(escaped(&format!("x{odd}y")).is_ascii(), "{odd:?}");
        }
    }
}
