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

use serde::Deserialize;

use super::{
    Diagnostics, Environment, de,
    read::{LongerThanZero, Settings},
    source,
};

/// The content of the file beside a plugin's library.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sidecar {
    /// The number of threads that run the plugin's tasks and components.
    pub threads: Option<NonZeroUsize>,
    /// The defaults for the configurations of the plugin's components by name. Each is a JSON
    /// object.
    pub components: BTreeMap<String, serde_json::Value>,
    /// The overrides of the manifest for the plugin's tasks, by name.
    pub tasks: BTreeMap<String, SidecarTask>,
}

/// The overrides of the manifest for one task.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SidecarTask {
    /// Whether the task runs, if the file sets it.
    pub enabled: Option<bool>,
    /// The time from one start to the next, if the file sets it.
    pub interval: Option<Duration>,
    /// The configuration of the task, always a JSON object.
    pub config: serde_json::Value,
}

impl Sidecar {
    /// Reads a file, with variables from `environment`.
    ///
    /// # Errors
    /// All errors of the file, in the order of its lines.
    pub fn load(file: &Path, environment: Environment<'_>) -> Result<Self, Diagnostics> {
        let text = source::read(file)?;
        let mut report = source::Report::new(file);
        let Some(document) = crate::build::parse(&text, environment, &mut report) else {
            return Err(report.found);
        };
        let written = de::read::<Written>(&document.root, &mut report);
        match written {
            Some(written) if !report.found.has_errors() => Ok(written.into()),
            _ => Err(report.found),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    threads: Option<NonZeroUsize>,
    #[serde(default)]
    components: BTreeMap<String, Settings>,
    #[serde(default)]
    tasks: BTreeMap<String, WrittenTask>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTask {
    enabled: Option<bool>,
    interval: Option<LongerThanZero>,
    #[serde(default)]
    config: Settings,
}

impl From<Written> for Sidecar {
    fn from(written: Written) -> Self {
        let components = written.components.into_iter();
        let tasks = written.tasks.into_iter().map(|(name, task)| {
            let WrittenTask { enabled, interval, config } = task;
            let interval = interval.map(|it| it.0);
            (name, SidecarTask { enabled, interval, config: config.into() })
        });
        Self {
            threads: written.threads,
            components: components.map(|(name, it)| (name, it.into())).collect(),
            tasks: tasks.collect(),
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
}
