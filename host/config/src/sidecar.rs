//! The configuration file beside a plugin's library: `libhello.yaml` for `libhello.so`.
//!
//! ```yaml
//! threads: 2                                   # as under plugins.settings
//! components:
//!   feed: { path: /data/spot.gz }              # defaults for every component entry of this kind
//! tasks:                                       # or a list, as in the configuration
//!   heartbeat: { interval: 5s, config: { greeting: hi } }
//! ```
//!
//! The host's configuration takes precedence over this file.

use std::{collections::BTreeMap, num::NonZeroUsize, path::Path};

use schemars::JsonSchema;

use super::{
    Diagnostics, Document, Environment, de,
    document::{Node, Value},
    entries::Threads,
    source,
    tasks::{TaskEntries, TaskEntry, task_entries},
    values::Settings,
};

/// The content of the file beside a plugin's library.
#[derive(Debug, Clone, PartialEq, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Sidecar {
    /// The number of threads that run the plugin's tasks and components. Without it, there is one
    /// for each of its components, up to the number of cores. Threads for sync functions come on
    /// top.
    #[schemars(with = "Option<Threads>")]
    pub threads: Option<NonZeroUsize>,
    /// The defaults for the configurations of the plugin's components, by name.
    #[schemars(default, with = "BTreeMap<String, Settings>")]
    pub components: BTreeMap<String, serde_json::Value>,
    /// What differs from the manifest of the plugin's tasks.
    #[schemars(with = "Option<TaskEntries>")]
    pub tasks: Vec<TaskEntry>,
    /// What the file `config.yaml` in the folder says about the tasks of all its plugins. The file of
    /// the plugin takes precedence.
    #[schemars(skip)]
    pub shared: SharedTasks,
    #[schemars(skip)]
    document: Document,
}

/// The content of the file `config.yaml` in a folder of plugins, which is about the tasks of all of
/// them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SharedTasks {
    /// What differs from the manifests of the tasks.
    pub tasks: Vec<TaskEntry>,
    document: Document,
}

impl SharedTasks {
    /// Reads a file of at most 1 MiB, with variables from `environment`.
    ///
    /// # Errors
    /// As [`Sidecar::load`].
    pub fn load(file: &Path, environment: Environment<'_>) -> Result<Self, Diagnostics> {
        let Some((document, mut report)) = parse(file, environment)? else {
            return Ok(Self::default());
        };
        let entries = de::section(&document.root, &["tasks"], &mut report).unwrap_or_default();
        let written = entries.iter().find(|(_, entry)| entry.node.value != Value::Null);
        let tasks = written.map(|(_, entry)| task_entries(&entry.node, &mut report));
        if report.found.has_errors() {
            return Err(report.found);
        }
        Ok(Self { tasks: tasks.unwrap_or_default(), document })
    }

    /// Returns the file, for findings about its values. If there is no file, its path is empty.
    pub fn document(&self) -> &Document {
        &self.document
    }
}

/// Reads a file and parses it. Returns `None` if it has no content.
fn parse(
    file: &Path,
    environment: Environment<'_>,
) -> Result<Option<(Document, source::Report)>, Diagnostics> {
    let text = source::read(file, source::Source::Settings)?;
    let mut report = source::Report::new(file);
    match crate::build::parse(&text, environment, &mut report) {
        Some(document) if document.root.value == Value::Null => Ok(None),
        Some(document) => Ok(Some((document, report))),
        None => Err(report.found),
    }
}

/// The keys of the file.
const KEYS: [&str; 3] = ["threads", "components", "tasks"];

impl Sidecar {
    /// Reads a file of at most 1 MiB, with variables from `environment`. A file without content has
    /// no settings.
    ///
    /// # Errors
    /// If the file cannot be read or another user can change it; and all errors of the file, in the
    /// order of its lines.
    pub fn load(file: &Path, environment: Environment<'_>) -> Result<Self, Diagnostics> {
        let Some((document, mut report)) = parse(file, environment)? else {
            return Ok(Self::default());
        };
        let read = Self::read(&document.root, &mut report);
        if report.found.has_errors() {
            return Err(report.found);
        }
        Ok(Self { document, ..read })
    }

    /// Reads every entry that has no error.
    fn read(root: &Node, report: &mut source::Report) -> Self {
        let mut sidecar = Self::default();
        for (key, entry) in de::section(root, &KEYS, report).unwrap_or_default() {
            let node = &entry.node;
            match key {
                _ if node.value == Value::Null => {}
                "threads" => {
                    let threads = de::read::<Threads>(node, report);
                    sidecar.threads = threads.and_then(|it| NonZeroUsize::new(it.into()));
                }
                "components" => {
                    let components = de::read::<BTreeMap<String, Settings>>(node, report);
                    let components = components.unwrap_or_default().into_iter();
                    sidecar.components = components.map(|(name, it)| (name, it.into())).collect();
                }
                _ => sidecar.tasks = task_entries(node, report),
            }
        }
        sidecar
    }

    /// Returns the file, for findings about its values. If there is no file, its path is empty.
    pub fn document(&self) -> &Document {
        &self.document
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(yaml: &str) -> Result<Sidecar, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("libhello.yaml");
        std::fs::write(&file, yaml).unwrap();
        Sidecar::load(&file, &|_| Err(std::env::VarError::NotPresent))
            .map_err(|found| found.to_string())
    }

    #[test]
    fn a_sidecar_gives_threads_defaults_and_tasks() {
        let yaml =
            "threads: 2\ncomponents: { feed: { path: /x } }\ntasks: { beat: { interval: 5s } }";
        let sidecar = load(yaml).unwrap();
        assert_eq!(sidecar.threads, NonZeroUsize::new(2));
        assert_eq!(sidecar.components["feed"], serde_json::json!({ "path": "/x" }));
        assert_eq!(sidecar.tasks[0].interval, Some(std::time::Duration::from_secs(5)));
    }

    #[test]
    fn a_wrong_key_is_shown_at_its_place() {
        let found = load("thread: 2").unwrap_err();
        assert!(found.contains("libhello.yaml:1:1") && found.contains("thread"), "{found}");
    }

    #[test]
    fn a_file_without_content_has_no_settings() {
        for empty in ["", "# nothing yet\n", "---\n", "\n\n", "~", "\u{feff}# saved by an editor\n"]
        {
            assert_eq!(load(empty), Ok(Sidecar::default()), "{empty:?}");
        }
    }

    #[test]
    fn threads_are_bounded_where_they_are_read() {
        let found = load("threads: 18446744073709551615").unwrap_err();
        let expected = "libhello.yaml:1:10: expected a whole number from 1 to 1024, \
                        found the number 18446744073709551615";
        assert!(found.ends_with(expected), "{found}");
    }
}
