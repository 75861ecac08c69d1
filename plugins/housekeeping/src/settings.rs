//! Types of settings that several tasks have.

use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};
use hotbay_plugin_api::JsonSchema;
use serde::Deserialize;

/// The folders of a task, at least one.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<PathBuf>")]
pub(crate) struct Folders(#[schemars(length(min = 1))] pub(crate) Vec<PathBuf>);

impl TryFrom<Vec<PathBuf>> for Folders {
    type Error = String;

    fn try_from(folders: Vec<PathBuf>) -> Result<Self, String> {
        match folders.iter().any(|folder| folder == Path::new("/")) {
            _ if folders.is_empty() => Err("expected at least one folder".to_owned()),
            true => Err("`/` is the whole system; name the folders below it".to_owned()),
            false => Ok(Self(folders)),
        }
    }
}

/// Patterns of files and folders, such as `*.lock` or `pinned/**`.
///
/// A pattern without `/` is compared with the name, wherever the file is; one with `/` with the path
/// from the task's folder.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<String>")]
pub(crate) struct Patterns(#[schemars(with = "Vec<String>")] Vec<Pattern>);

impl TryFrom<Vec<String>> for Patterns {
    type Error = String;

    fn try_from(patterns: Vec<String>) -> Result<Self, String> {
        let parsed = patterns.iter().map(|text| {
            Pattern::new(text).map_err(|error| format!("`{text}` is not a pattern: {}", error.msg))
        });
        parsed.collect::<Result<_, _>>().map(Self)
    }
}

impl Patterns {
    /// Returns `true` if one of the patterns matches this path, which begins in the task's folder.
    pub(crate) fn matches(&self, path: &Path) -> bool {
        let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
        self.0.iter().any(|pattern| match pattern.as_str().contains('/') {
            true => pattern.matches_path_with(path, options),
            false => {
                let name = path.file_name().unwrap_or_default();
                pattern.matches_path_with(name.as_ref(), options)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_without_a_slash_is_about_the_name_and_one_with_it_about_the_path() {
        let texts = ["*.lock", "pinned/**", "a/*.txt"].map(str::to_owned).to_vec();
        let patterns = Patterns::try_from(texts).unwrap();
        let matches = |path: &str| patterns.matches(path.as_ref());
        assert!(matches("x.lock") && matches("deep/down/x.lock"));
        assert!(matches("pinned/deep/down") && matches("a/b.txt"));
        assert!(!matches("a/b/c.txt") && !matches("b/a/c.txt") && !matches("lock"));
    }

    #[test]
    fn wrong_folders_and_patterns_are_refused() {
        let folders = |json| serde_json::from_str::<Folders>(json).unwrap_err().to_string();
        assert!(folders("[]").contains("expected at least one folder"));
        assert!(folders("[\"/\"]").contains("the whole system"));
        let patterns = serde_json::from_str::<Patterns>("[\"a***\"]").unwrap_err().to_string();
        assert!(patterns.contains("`a***` is not a pattern"), "{patterns}");
    }
}
