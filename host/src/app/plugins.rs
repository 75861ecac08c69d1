//! The plugins of one host.

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroUsize,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use serde::Deserialize;
use tokio::task::JoinSet;

use super::HostError;
use crate::{
    config::{Config, ConfigPath, Diagnostic, Diagnostics, Severity},
    plugin::{Closed, Generation, LoadError, Loader, LoaderConfig, Refusal, scan},
};

/// The settings of one plugin, under `plugins.settings`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// How many threads poll its tasks; by default one for each of its components,
    /// up to the machine's cores.
    threads: Option<NonZeroUsize>,
}

/// What was found in the plugins folder, loaded.
#[derive(Debug)]
pub struct Plugins {
    loaded: BTreeMap<String, Generation>,
    folder: PathBuf,
    /// Holds the folder of the copies that are mapped, so it goes after them.
    loader: Arc<Loader>,
}

impl Plugins {
    /// Loads every library of the configuration's plugins folder.
    ///
    /// A file that is refused is a warning here: whether anybody needs it is
    /// found out when the configuration is held against what did load.
    pub(super) async fn load(
        config: &Config,
        probe_program: Option<PathBuf>,
    ) -> Result<(Self, Diagnostics), HostError> {
        let folder = config.plugins.folder.clone();
        let mut warnings = Diagnostics::new();
        let files = scan(&folder).map_err(|error| {
            let path = ConfigPath::root().key("plugins").key("folder");
            let message = format!("the plugins folder {} can't be read: {error}", folder.display());
            let help = "make the folder, or name another one under `plugins.folder`";
            let mut found = Diagnostics::new();
            found.push(config.error_at(&path, message).with_help(help));
            HostError::Configuration(found)
        })?;
        let loader = LoaderConfig {
            probe_limit: config.plugins.probe_timeout,
            probe_program,
            ..LoaderConfig::default()
        };
        let loader = Loader::new(loader).map(Arc::new).map_err(|error| {
            HostError::System(format!("cannot make a staging folder for plugins: {error}"))
        })?;
        let mut inspections = JoinSet::new();
        for file in files {
            let loader = Arc::clone(&loader);
            inspections.spawn(async move { loader.inspect(&file.path).await });
        }
        let mut inspected = Vec::new();
        while let Some(joined) = inspections.join_next().await {
            match joined.map_err(|error| HostError::System(error.to_string()))? {
                Ok(library) => inspected.push(library),
                Err(refused) => warnings.push(warning(&refused)),
            }
        }
        inspected.sort_by(|a, b| a.path.cmp(&b.path));
        let used = uses(config);
        let mut plugins = Self { loaded: BTreeMap::new(), folder, loader };
        for library in inspected {
            let name = library.manifest.name.clone();
            if let Some(first) = plugins.loaded.get(&name) {
                let from = first.info().file.as_ref().map(|file| file.path.clone());
                let refusal = Refusal::Duplicate { name, from: from.unwrap_or_default() };
                warnings.push(warning(&LoadError { path: library.path, refusal }));
                continue;
            }
            let threads = threads(config, &name, &used, &mut warnings);
            match plugins.loader.load(library, threads).await {
                Ok(generation) => {
                    tracing::info!(plugin = name, "loaded");
                    plugins.loaded.insert(name, generation);
                }
                Err(refused) => warnings.push(warning(&refused)),
            }
        }
        Ok((plugins, warnings))
    }

    /// The plugin of this name.
    pub fn get(&self, name: &str) -> Option<&Generation> {
        self.loaded.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Generation> {
        self.loaded.values()
    }

    /// Their names, for an error's help.
    pub(super) fn names(&self) -> String {
        if self.loaded.is_empty() {
            return format!("no plugin was loaded from {}", self.folder.display());
        }
        let names: Vec<_> = self.loaded.keys().map(|name| format!("`{name}`")).collect();
        format!("{} holds {}", self.folder.display(), names.join(", "))
    }

    /// Closes all; gives a sentence for each that did not go.
    pub(super) async fn close(self, limit: Duration) -> Vec<String> {
        let Self { loaded, loader, .. } = self;
        let mut left = Vec::new();
        for (name, generation) in loaded {
            match generation.close(limit).await {
                Closed::Unmapped | Closed::Linked => {}
                Closed::StillRunning { threads } => left.push(format!(
                    "plugin {name} stays loaded: {threads} of its threads or calls did not end"
                )),
                Closed::Pinned => left.push(format!(
                    "plugin {name} stays mapped: a thread outside of its bay holds a \
                     thread-local of it"
                )),
            }
        }
        drop(loader);
        left
    }
}

/// A refusal among the findings.
fn warning(refused: &LoadError) -> Diagnostic {
    let refusal = &refused.refusal;
    let message = format!("{refusal} [{}]", refusal.code());
    Diagnostic::new(&refused.path, Severity::Warning, message).with_help(refusal.remedy())
}

/// How many components the configuration takes from each plugin.
fn uses(config: &Config) -> HashMap<&str, usize> {
    let mut used = HashMap::new();
    for entry in config.pipeline.iter().flat_map(|pipeline| pipeline.components()) {
        *used.entry(entry.plugin.as_str()).or_default() += 1;
    }
    used
}

fn threads(
    config: &Config,
    plugin: &str,
    used: &HashMap<&str, usize>,
    findings: &mut Diagnostics,
) -> NonZeroUsize {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let components = used.get(plugin).copied().unwrap_or(1).max(1);
    let usual = NonZeroUsize::new(components).unwrap_or(NonZeroUsize::MIN).min(cores);
    let Some(settings) = config.plugins.settings.get(plugin) else { return usual };
    match serde_json::from_value::<Settings>(settings.clone()) {
        Ok(settings) => settings.threads.unwrap_or(usual),
        Err(error) => {
            let path = ConfigPath::root().key("plugins").key("settings").key(plugin);
            let finding = config.error_at(&path, format!("wrong settings: {error}"));
            findings.push(finding.with_help("a plugin's settings are `threads`, at least 1"));
            usual
        }
    }
}
