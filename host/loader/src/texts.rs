//! Texts of a plugin that are safe to show and to use.
//!
//! Names stand in logs, in paths and as keys of configurations, and all else stands on
//! terminals, where control characters do things.

use abi_stable::std_types::RString;
use serde_json::Value;

use super::Refusal;

/// A manifest as it comes from a library. Its type says that it is UTF-8, but where the
/// library is damaged nothing is sure, and such a text would do harm far from here.
pub(crate) fn received(manifest: RString) -> Result<String, Refusal> {
    String::from_utf8(manifest.into_bytes().into_vec())
        .map_err(|error| Refusal::Manifest(error.utf8_error().to_string()))
}

/// Whether a text is as cargo wants the names of packages.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphanumeric() || first == '_')
        && text.chars().all(|it| it.is_alphanumeric() || it == '_' || it == '-')
}

/// Whether a text does nothing but stand there.
pub(crate) fn is_plain(text: &str) -> bool {
    text.chars().all(|it| !it.is_control() || it == '\n' || it == '\t')
}

/// Gives a text in a JSON document that is not plain.
pub(crate) fn find_odd(json: &Value) -> Option<&str> {
    let odd = |text: &String| !is_plain(text);
    match json {
        Value::String(text) => Some(text).filter(|text| odd(text)).map(String::as_str),
        Value::Array(items) => items.iter().find_map(find_odd),
        Value::Object(fields) => {
            let key = fields.keys().find(|key| odd(key)).map(String::as_str);
            key.or_else(|| fields.values().find_map(find_odd))
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
        assert_eq!(find_odd(&json!({ "a": ["two\nlines", 1, null], "tab\t": "ü" })), None);
        assert_eq!(find_odd(&json!([{ "a": [{ "b": "bell\u{7}" }] }])), Some("bell\u{7}"));
        assert_eq!(find_odd(&json!({ "\u{1b}": 1 })), Some("\u{1b}"));
        assert_eq!(find_odd(&json!("\u{9b}2J")), Some("\u{9b}2J"));
    }
}
