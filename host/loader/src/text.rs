//! Checks of texts that come from a plugin.
//!
//! Names appear in logs, in paths and as keys of configurations, and every text can appear on a
//! terminal, where control characters have effects.

use hotbay_config::text;
use serde_json::Value;

/// Characters of honest descriptions that a terminal shows escaped: the last two join or separate
/// letters and the parts of emojis.
const TOLERATED: [char; 4] = ['\n', '\t', '\u{200c}', '\u{200d}'];

/// Returns `true` if cargo accepts the text as the name of a package.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphanumeric() || first == '_')
        && text.chars().all(|it| it.is_alphanumeric() || it == '_' || it == '-')
}

/// Returns `true` if the text has no characters that [affect a terminal](text::is_printable), but
/// for the tolerated ones.
pub(crate) fn is_printable(text: &str) -> bool {
    text.chars().all(|it| text::is_printable(it) || TOLERATED.contains(&it))
}

/// Returns a text of a JSON document that is not printable, be it a value or a key.
pub(crate) fn find_unprintable(json: &Value) -> Option<&str> {
    let is_unprintable = |text: &String| !is_printable(text);
    match json {
        Value::String(text) => Some(text).filter(|text| is_unprintable(text)).map(String::as_str),
        Value::Array(items) => items.iter().find_map(find_unprintable),
        Value::Object(fields) => {
            let key = fields.keys().find(|key| is_unprintable(key)).map(String::as_str);
            key.or_else(|| fields.values().find_map(find_unprintable))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_those_of_packages() {
        assert!(["hello", "mean-reversion", "_x2", "größe"].into_iter().all(is_name));
        for name in ["", "-f", "../x", "a b", "a\u{1b}[2J", "a\n", "a\u{fffd}", "a/b", "a.b"] {
            assert!(!is_name(name), "{name:?}");
        }
    }

    #[test]
    fn an_odd_text_is_found_wherever_it_stands() {
        assert_eq!(find_unprintable(&json!({ "a": ["two\nlines", 1, null], "tab\t": "ü" })), None);
        assert_eq!(find_unprintable(&json!([{ "a": [{ "b": "bell\u{7}" }] }])), Some("bell\u{7}"));
        assert_eq!(find_unprintable(&json!({ "\u{1b}": 1 })), Some("\u{1b}"));
        assert_eq!(find_unprintable(&json!("\u{9b}2J")), Some("\u{9b}2J"));
        assert_eq!(find_unprintable(&json!("a\u{202e}b")), Some("a\u{202e}b"));
        assert_eq!(find_unprintable(&json!("👩\u{200d}💻")), None);
    }
}
