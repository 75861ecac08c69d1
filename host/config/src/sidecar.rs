//! The configuration file beside a plugin's library: `libhello.yaml` for `libhello.so`.
//!
//! ```yaml
//! threads: 2                                   # as under plugins.settings
//! components:
//!   feed: { path: /data/spot.gz }              # defaults for every component entry of this kind
//! tasks:
//!   heartbeat: { interval: 5s, config: { greeting: hi } }
//! ```
//!
//! The host's configuration takes precedence over this file.

use std::{collections::BTreeMap, num::NonZeroUsize, path::Path, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Diagnostics, Environment, Secrets, de,
    document::Value,
    entries::{Interval, Threads},
    source,
    values::Settings,
};

/// The content of the file beside a plugin's library.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sidecar {
    /// The number of threads that run the plugin's tasks and components. Without it, there is one
    /// for each of its components, up to the number of cores. Threads for sync functions come on
    /// top.
    #[serde(deserialize_with = "Threads::option")]
    #[schemars(with = "Option<Threads>")]
    pub threads: Option<NonZeroUsize>,
    /// The defaults for the configurations of the plugin's components, by name.
    #[serde(deserialize_with = "Settings::by_name")]
    #[schemars(with = "BTreeMap<String, Settings>")]
    pub components: BTreeMap<String, serde_json::Value>,
    /// The overrides of the manifest for the plugin's tasks, by name.
    pub tasks: BTreeMap<String, SidecarTask>,
    /// The values of the file's variables.
    #[serde(skip)]
    pub secrets: Secrets,
}

/// The overrides of the manifest for one task.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SidecarTask {
    /// Whether the task runs. Without it, the manifest decides.
    pub enabled: Option<bool>,
    /// The time from one start to the next. Without it, the manifest's schedule holds.
    #[serde(default, deserialize_with = "Interval::option")]
    #[schemars(with = "Option<Interval>")]
    pub interval: Option<Duration>,
    /// The configuration of the task.
    #[serde(default = "Settings::none", deserialize_with = "Settings::read")]
    #[schemars(with = "Settings")]
    pub config: serde_json::Value,
}

impl Sidecar {
    /// Reads a file of at most 1 MiB, with variables from `environment`. A file without content has
    /// no settings.
    ///
    /// # Errors
    /// If the file cannot be read or another user can change it; and all errors of the file, in the
    /// order of its lines.
    pub fn load(file: &Path, environment: Environment<'_>) -> Result<Self, Diagnostics> {
        let text = source::read(file, source::Source::Settings)?;
        let mut report = source::Report::new(file);
        let Some(document) = crate::build::parse(&text, environment, &mut report) else {
            return Err(report.found);
        };
        if document.root.value == Value::Null {
            return Ok(Self::default());
        }
        let read = de::read::<Self>(&document.root, &mut report);
        match read {
            Some(sidecar) if !report.found.has_errors() => {
                Ok(Self { secrets: document.secrets, ..sidecar })
            }
            _ => Err(report.found),
        }
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
        assert_eq!(sidecar.tasks["beat"].interval, Some(Duration::from_secs(5)));
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
