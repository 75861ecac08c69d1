//! The folders that belong to a configuration file.

use std::path::{Component, Path, PathBuf};

use hotbay_access::{CheckedFile, open_behind_links};

use crate::{Config, Diagnostics, Environment, build, de, document::Value, limits::MAX_BYTES};
use crate::{source, values::PathText};

/// The state folder of a configuration file, and what is wrong with the rest of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateFolder {
    /// The path of the folder.
    pub path: PathBuf,
    /// The errors and warnings of the file, if it has an error.
    pub refused: Option<Diagnostics>,
}

impl StateFolder {
    /// Finds the state folder of a configuration file, even if the file has errors: its host may
    /// run with an earlier content, or with other variables.
    ///
    /// # Errors
    /// If the name of the folder has an error, such as a variable that is not set: all errors of
    /// the file.
    pub fn find(file: &Path, environment: Environment<'_>) -> Result<Self, Diagnostics> {
        let refused = match Config::load(file, environment) {
            Ok(config) => return Ok(Self { path: config.state_folder, refused: None }),
            Err(found) => found,
        };
        let bytes = open_behind_links(file, MAX_BYTES as u64).and_then(CheckedFile::read_to_end);
        let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let text = text.unwrap_or_default();
        match named_folder(file, &text, environment) {
            Named::Folder(path) => Ok(Self { path, refused: Some(refused) }),
            Named::Unclear => Err(refused),
        }
    }
}

/// What a file says about its state folder.
enum Named {
    /// The folder that the file names, or the default one if it names none.
    Folder(PathBuf),
    /// The name has an error, such as a variable that is not set.
    Unclear,
}

/// Returns what the text of a file says about its state folder. If the text is not YAML, the line
/// that begins with the key is read alone.
fn named_folder(file: &Path, text: &str, environment: Environment<'_>) -> Named {
    let line = text.lines().find(|line| line.starts_with("state_folder:"));
    let mut report = source::Report::new(file);
    let mut texts = [Some(text), line].into_iter().flatten();
    let document = texts.find_map(|text| build::parse(text, environment, &mut report));
    let name = document.as_ref().and_then(|document| document.root.get("state_folder"));
    match name {
        // A key without a value is as good as none.
        Some(name) if name.value != Value::Null => match de::read::<PathText>(name, &mut report) {
            Some(path) => Named::Folder(resolved(file, path.as_path())),
            None => Named::Unclear,
        },
        _ => Named::Folder(state_folder(file)),
    }
}

/// Returns the folder that relative paths in a file refer to.
pub(crate) fn base_dir(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Resolves a path that a file names against the folder of the file.
///
/// Messages show the result, so it is without `.` and, where that names the same folder, without
/// `..`.
pub(crate) fn resolved(file: &Path, path: &Path) -> PathBuf {
    let mut resolved = PathBuf::new();
    for part in base_dir(file).join(path).components() {
        let goes_up = part == Component::ParentDir
            && matches!(resolved.components().next_back(), Some(Component::Normal(_)))
            // Behind a link, `..` is the folder around the link's target.
            && !resolved.is_symlink();
        if goes_up {
            resolved.pop();
        } else if part != Component::CurDir {
            resolved.push(part);
        }
    }
    // Not the empty path, which names no folder.
    if resolved.as_os_str().is_empty() { PathBuf::from(".") } else { resolved }
}

/// Returns the state folder for a file that does not name one: a hidden folder beside the file,
/// which no other configuration file shares.
pub(crate) fn state_folder(file: &Path) -> PathBuf {
    base_dir(file).join(".hotbay").join(file.file_stem().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::env::VarError;

    use super::*;

    fn find(text: &str) -> Result<StateFolder, Diagnostics> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hotbay.yaml");
        std::fs::write(&file, text).unwrap();
        let environment = |name: &str| match name {
            "SET" => Ok("set".to_owned()),
            _ => Err(VarError::NotPresent),
        };
        let mut found = StateFolder::find(&file, &environment)?;
        found.path = found.path.strip_prefix(folder.path()).unwrap().to_owned();
        Ok(found)
    }

    #[test]
    fn the_state_folder_of_a_broken_file_is_found() {
        let cases = [
            ("plugins: { folder: p }\nstate_folder: state\ntasks: [", "state"),
            ("state_folder: \"a b\" # for records\n\t- broken", "a b"),
            ("plugins: { folder: p }\nstate_folder: ${SET}/x\nchannels: ${UNSET}", "set/x"),
            ("{ plugins: { folder: p }, state_folder: flow, tasks: ${UNSET} }", "flow"),
            ("plugins: 7\nstate_folder: state", "state"),
            ("tasks: [", ".hotbay/hotbay"),
            ("state_folder:\ntasks: [", ".hotbay/hotbay"),
            ("state_folder: ./a/../b\ntasks: [", "b"),
            ("", ".hotbay/hotbay"),
        ];
        for (text, path) in cases {
            let found = find(text).unwrap_or_else(|found| panic!("{text}: {found}"));
            assert_eq!(found.path, Path::new(path), "{text}");
            assert!(found.refused.is_some(), "{text}");
        }
    }

    #[test]
    fn a_sound_file_has_its_state_folder_and_no_errors() {
        let found = find("plugins: { folder: p }\nstate_folder: state").unwrap();
        assert_eq!(found, StateFolder { path: "state".into(), refused: None });
    }

    #[test]
    fn a_state_folder_that_a_missing_variable_names_is_an_error() {
        let found = find("plugins: { folder: p }\nstate_folder: ${UNSET}").unwrap_err();
        assert!(found.to_string().contains("UNSET"), "{found}");
    }

    #[test]
    fn a_blank_state_folder_is_an_error_in_a_broken_file_too() {
        find("state_folder: ' '\ntasks: [").unwrap_err();
    }
}
