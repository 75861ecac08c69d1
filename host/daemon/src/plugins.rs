//! The plugins of one host.

mod closing;
mod sidecar;
mod trusting;

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;
use tokio::task::JoinSet;

use super::{HostError, trust};
use hotbay_config::{Config, ConfigPath, Diagnostic, Diagnostics, Severity, Sidecar};
use hotbay_loader::{Inspected, LoadError, Loader, LoaderConfig, Refusal, Trust, TrustedBy, scan};
use hotbay_runtime::Generation;
use hotbay_store::{
    quarantine::Quarantine,
    record::{Build, now},
};

pub(super) use closing::{Closing, Closings};
pub(super) use sidecar::{beside, read_sidecar};
pub(super) use trusting::doubt;

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
    loaded: BTreeMap<String, Berth>,
    folder: PathBuf,
    next: u64,
    trust: Arc<Trust>,
    trust_changed: bool,
    /// Holds the folder of the copies that are mapped, so it goes after them.
    loader: Arc<Loader>,
}

/// A plugin in service: its build, and what stands beside it.
#[derive(Debug)]
pub(super) struct Berth {
    pub(super) generation: Generation,
    /// Its number in this host, from 1.
    pub(super) number: u64,
    pub(super) sidecar: Sidecar,
    /// When it was loaded, RFC 3339, UTC.
    pub(super) loaded: String,
    /// Who vouches for its file.
    pub(super) trusted_by: TrustedBy,
}

impl Berth {
    /// Its build, as a record has it.
    pub(super) fn build(&self) -> Build {
        let info = self.generation.info();
        Build {
            version: info.manifest.version.clone(),
            hash: info.file.as_ref().map(|file| file.hash.clone()).unwrap_or_default(),
            generation: Some(self.number),
        }
    }

    /// The file that it came from.
    pub(super) fn path(&self) -> &Path {
        self.generation.info().file.as_ref().map_or(Path::new(""), |file| &file.path)
    }
}

impl Plugins {
    /// No plugins yet.
    pub(super) fn new(config: &Config, probe_program: Option<PathBuf>) -> Result<Self, HostError> {
        let trust = trust::read(config).map_err(HostError::Configuration)?;
        let loader = LoaderConfig {
            probe_limit: config.plugins.probe_timeout,
            probe_program,
            quarantine: Some(Quarantine::open(&config.state_folder)),
            ..LoaderConfig::default()
        };
        let loader = Loader::new(loader).map_err(|error| HostError::System(error.to_string()))?;
        let loader = Arc::new(loader);
        let folder = config.plugins.folder.clone();
        Ok(Self { loaded: BTreeMap::new(), folder, next: 1, trust, trust_changed: false, loader })
    }

    /// Loads every library of the plugins folder.
    ///
    /// A file that is refused is a warning here: whether anybody needs it is
    /// found out when the configuration is held against what did load.
    pub(super) async fn load_all(&mut self, config: &Config) -> Result<Diagnostics, HostError> {
        let mut warnings = Diagnostics::new();
        let files = scan(&self.folder).map_err(|error| {
            let path = ConfigPath::root().key("plugins").key("folder");
            let folder = self.folder.display();
            let message = format!("the plugins folder {folder} can't be read: {error}");
            let help = "make the folder, or name another one under `plugins.folder`";
            let mut found = Diagnostics::new();
            found.push(config.error_at(&path, message).with_help(help));
            HostError::Configuration(found)
        })?;
        let mut inspections = JoinSet::new();
        for file in files {
            let (loader, trust) = (Arc::clone(&self.loader), Arc::clone(&self.trust));
            inspections.spawn(async move { loader.inspect(&file, &trust).await });
        }
        let mut inspected = Vec::new();
        while let Some(joined) = inspections.join_next().await {
            match joined.map_err(|error| HostError::System(error.to_string()))? {
                Ok(library) => inspected.push(library),
                Err(refused) => warnings.push(warning(&refused)),
            }
        }
        inspected.sort_by(|a, b| a.path.cmp(&b.path));
        for library in inspected {
            warnings.extend(doubt(&library));
            if let Err(refused) = self.free(&library) {
                warnings.push(warning(&refused));
                continue;
            }
            let sidecar = match read_sidecar(&library.path, &library.manifest.name) {
                Ok(sidecar) => sidecar,
                Err(found) => {
                    warnings.extend(found);
                    continue;
                }
            };
            match self.load(config, library, sidecar, &mut warnings).await {
                Ok(berth) => drop(self.put(berth)),
                Err(refused) => warnings.push(warning(&refused)),
            }
        }
        Ok(warnings)
    }

    /// Looks at a file without loading it here.
    pub(super) async fn inspect(&self, path: &Path) -> Result<Inspected, LoadError> {
        self.loader.inspect(path, &self.trust).await
    }

    /// Whether no other file brings a plugin of this name.
    pub(super) fn free(&self, library: &Inspected) -> Result<(), LoadError> {
        let name = library.manifest.name.clone();
        match self.loaded.get(&name) {
            Some(first) if first.path() != library.path => {
                let refusal = Refusal::Duplicate { name, from: first.path().to_owned() };
                Err(LoadError { path: library.path.clone(), refusal })
            }
            _ => Ok(()),
        }
    }

    /// Loads a library; it is not yet in service.
    pub(super) async fn load(
        &mut self,
        config: &Config,
        library: Inspected,
        sidecar: Sidecar,
        findings: &mut Diagnostics,
    ) -> Result<Berth, LoadError> {
        let name = library.manifest.name.clone();
        let trusted_by = library.trusted_by.clone();
        let threads = match sidecar.threads {
            Some(threads) => threads,
            None => threads(config, &name, findings),
        };
        let generation = Generation::load(&self.loader, library, threads).await?;
        let number = self.next;
        self.next += 1;
        tracing::info!(plugin = name, number, "loaded");
        Ok(Berth { generation, number, sidecar, loaded: now(), trusted_by })
    }

    /// Puts a plugin in service; gives the one that was there.
    pub(super) fn put(&mut self, berth: Berth) -> Option<Berth> {
        self.loaded.insert(berth.generation.name().to_owned(), berth)
    }

    /// Takes a plugin out of service.
    pub(super) fn take(&mut self, name: &str) -> Option<Berth> {
        self.loaded.remove(name)
    }

    /// The plugin of this name.
    pub fn get(&self, name: &str) -> Option<&Generation> {
        self.loaded.get(name).map(|berth| &berth.generation)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Generation> {
        self.loaded.values().map(|berth| &berth.generation)
    }

    pub(super) fn berth(&self, name: &str) -> Option<&Berth> {
        self.loaded.get(name)
    }

    pub(super) fn berth_mut(&mut self, name: &str) -> Option<&mut Berth> {
        self.loaded.get_mut(name)
    }

    pub(super) fn berths(&self) -> impl Iterator<Item = &Berth> {
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

    /// Begins to close all that are in service.
    pub(super) fn close(&mut self, closings: &mut Closings) {
        for berth in std::mem::take(&mut self.loaded).into_values() {
            closings.begin(Closing::of(berth));
        }
    }
}

/// A refusal among the findings.
pub(super) fn warning(refused: &LoadError) -> Diagnostic {
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

fn threads(config: &Config, plugin: &str, findings: &mut Diagnostics) -> NonZeroUsize {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let components = uses(config).get(plugin).copied().unwrap_or(1).max(1);
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
