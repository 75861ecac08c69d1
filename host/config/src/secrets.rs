//! The values of environment variables, which diagnostics, logs and the status must not show.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};

/// What all files together got from environment variables.
static OF_ALL_FILES: RwLock<Secrets> = RwLock::new(Secrets { names: BTreeMap::new() });

/// Returns a text with `${NAME}` in place of each value that a file has got from an environment
/// variable.
///
/// This is for texts that may come from anywhere, such as a log, or the error of a plugin about its
/// settings. The values are known as soon as a file was read, and for the rest of the process.
pub fn masked(text: &str) -> Cow<'_, str> {
    OF_ALL_FILES.read().unwrap_or_else(PoisonError::into_inner).masked(text)
}

/// The values that a file got from environment variables, each with the name of its variable.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Secrets {
    /// The names of the variables by their values.
    names: BTreeMap<String, String>,
}

/// Shorter values are likely to be part of any word, and are masked in quotes only.
const SHORTEST_TO_FIND: usize = 4;

impl Secrets {
    /// Adds the value of a variable, here and for [`masked`].
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        self.insert(name, value);
        OF_ALL_FILES.write().unwrap_or_else(PoisonError::into_inner).insert(name, value);
    }

    fn insert(&mut self, name: &str, value: &str) {
        let value = value.trim();
        // These words are no secrets, and are in many messages.
        if !value.is_empty() && !matches!(value, "true" | "false" | "null") {
            self.names.entry(value.to_owned()).or_insert_with(|| name.to_owned());
        }
    }

    /// Returns the text with `${NAME}` in place of each value.
    pub(crate) fn masked<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut masked = Cow::Borrowed(text);
        let mut longest_first: Vec<_> = self.names.iter().collect();
        longest_first.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        for (value, name) in longest_first {
            for (form, shown) in forms(value, name) {
                if masked.contains(&form) {
                    masked = Cow::Owned(masked.replace(&form, &shown));
                }
            }
        }
        masked
    }
}

/// Returns what a message may contain in place of a value, and what is shown instead.
fn forms(value: &str, name: &str) -> Vec<(String, String)> {
    let shown = format!("${{{name}}}");
    if value.chars().count() < SHORTEST_TO_FIND {
        let quoted =
            |quote: char| (format!("{quote}{value}{quote}"), format!("{quote}{shown}{quote}"));
        return ['"', '\'', '`'].map(quoted).into();
    }
    let mut forms = vec![(value.to_owned(), shown.clone())];
    let json = serde_json::Value::from(value).to_string();
    for escaped in [value.escape_debug().to_string(), json.trim_matches('"').to_owned()] {
        if escaped != value {
            forms.push((escaped, shown.clone()));
        }
    }
    forms
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names.values()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(all: &[(&str, &str)]) -> Secrets {
        let mut secrets = Secrets::default();
        all.iter().for_each(|(name, value)| secrets.add(name, value));
        secrets
    }

    #[test]
    fn a_value_is_masked_wherever_it_stands_and_however_it_is_escaped() {
        let secrets =
            secrets(&[("KEY", "a\"b\tc"), ("TOKEN", "hunter2"), ("LONG", "hunter2-more")]);
        assert_eq!(secrets.masked("x=hunter2&y"), "x=${TOKEN}&y");
        assert_eq!(secrets.masked("hunter2-more"), "${LONG}");
        assert_eq!(secrets.masked(&format!("{:?}", "a\"b\tc")), "\"${KEY}\"");
        assert_eq!(secrets.masked("a\"b\tc"), "${KEY}");
        assert!(!format!("{secrets:?}").contains("hunter"));
    }

    #[test]
    fn a_short_value_is_masked_in_quotes_and_leaves_other_words_alone() {
        let secrets = secrets(&[("A", "on"), ("B", "true"), ("C", "")]);
        assert_eq!(
            secrets.masked("integer `on`, once; expected `true`"),
            "integer `${A}`, once; expected `true`"
        );
    }
}
