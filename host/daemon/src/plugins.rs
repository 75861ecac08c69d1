//! The loaded plugins, with everything that the host keeps about each build.

mod closing;
mod sidecar;

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use hotbay_config::{Config, Diagnostic, Severity, SharedTasks, Sidecar, listed, suggestion};
use hotbay_loader::{Inspected, LoadError, Loader, Trust, TrustMode, TrustedBy};
use hotbay_plugin_api::Manifest;
use hotbay_runtime::Generation;
use hotbay_store::record::{Build, now};

pub(crate) use closing::{ClosingPlugin, ClosingPlugins, UnloadFailure};
pub(crate) use sidecar::read_sidecar;

/// One loaded build of a plugin, with everything that the host keeps about it.
#[derive(Debug)]
pub(crate) struct LoadedPlugin {
    /// Shared with operations under way. It is closed by its last owner.
    pub(crate) generation: Arc<Generation>,
    /// The number of the build in this host, from 1.
    pub(crate) number: u64,
    /// The file that the build was loaded from, under its present name.
    pub(crate) file: PathBuf,
    /// The settings beside the file.
    pub(crate) sidecar: Sidecar,
    /// The time at which the build was loaded, RFC 3339, UTC.
    pub(crate) loaded: String,
    /// The reason why the file is trusted.
    pub(crate) trusted_by: TrustedBy,
    /// The number of threads of the bay when they were last counted.
    pub(crate) threads: usize,
    /// The size of the library's mappings in bytes when it was last measured.
    pub(crate) mapped_bytes: u64,
}

impl LoadedPlugin {
    /// Loads a library, without putting anything of it into service.
    ///
    /// # Errors
    /// If the loader refuses the library.
    pub(crate) async fn load(
        loader: &Loader,
        config: &Config,
        library: Inspected,
        (sidecar, number): (Sidecar, u64),
    ) -> Result<Self, LoadError> {
        let (file, trusted_by) = (library.path.clone(), library.trusted_by.clone());
        let threads = sidecar.threads.unwrap_or_else(|| threads(config, &library.manifest.name));
        let generation = Arc::new(Generation::load(loader, library, threads).await?);
        let (threads, mapped_bytes) = (generation.threads(), generation.mapped_bytes());
        let loaded = now();
        Ok(Self { generation, number, file, sidecar, loaded, trusted_by, threads, mapped_bytes })
    }

    /// Counts the threads of the bay and measures the library's mappings. Both read files in
    /// `/proc`.
    pub(crate) fn measure(&mut self) {
        self.threads = self.generation.threads();
        self.mapped_bytes = self.generation.mapped_bytes();
    }

    /// Returns the plugin's name.
    pub(crate) fn name(&self) -> &str {
        self.generation.name()
    }

    /// Returns the description of the build for records.
    pub(crate) fn build(&self) -> Build {
        Build {
            version: self.generation.info().manifest.version.clone(),
            hash: self.hash().to_owned(),
            generation: Some(self.number),
        }
    }

    /// Returns the SHA-256 of the library, in hexadecimal.
    pub(crate) fn hash(&self) -> &str {
        self.generation.info().file.as_ref().map_or("", |file| &file.hash)
    }

    /// Checks the build against changed pins. The build stays loaded in any case.
    pub(crate) fn check_trust(&mut self, trust: &Trust) {
        let is_pinned = trust.pins.contains(self.hash());
        match self.trusted_by {
            TrustedBy::Nobody if is_pinned => self.trusted_by = TrustedBy::Pin,
            TrustedBy::Pin if !is_pinned => self.trusted_by = TrustedBy::Nobody,
            TrustedBy::Nobody | TrustedBy::Pin | TrustedBy::Signature { .. } => {}
        }
        if trust.mode == TrustMode::Enforce && self.trusted_by == TrustedBy::Nobody {
            let plugin = self.name();
            tracing::warn!(plugin, "nobody vouches for it; it runs on, but will not load again");
        }
    }
}

/// The manifests of the loaded plugins, for diagnostics.
#[derive(Debug, Clone)]
pub(crate) struct KnownPlugins {
    folder: PathBuf,
    manifests: BTreeMap<String, Manifest>,
    /// What the folder says about the tasks of all plugins.
    pub(crate) shared: SharedTasks,
}

impl KnownPlugins {
    pub(crate) fn new(folder: &Path, loaded: &BTreeMap<String, LoadedPlugin>) -> Self {
        let manifest = |plugin: &LoadedPlugin| plugin.generation.info().manifest.clone();
        let manifests = loaded.iter().map(|(name, plugin)| (name.clone(), manifest(plugin)));
        let manifests = manifests.collect();
        // All of them have read the same file; the last one that was loaded read it last.
        let last = loaded.values().max_by_key(|plugin| plugin.number);
        let shared = last.map(|plugin| plugin.sidecar.shared.clone()).unwrap_or_default();
        Self { folder: folder.to_owned(), manifests, shared }
    }

    pub(crate) fn contains(&self, plugin: &str) -> bool {
        self.manifests.contains_key(plugin)
    }

    pub(crate) fn manifest(&self, plugin: &str) -> Option<&Manifest> {
        self.manifests.get(plugin)
    }

    /// Returns the names of the plugins that have a task of this name.
    pub(crate) fn with_task(&self, task: &str) -> impl Iterator<Item = &str> {
        let has = move |it: &&Manifest| it.tasks.iter().any(|own| own.name == task);
        self.manifests.values().filter(has).map(|it| it.name.as_str())
    }

    /// Adds a plugin, or replaces the one of that name.
    pub(crate) fn insert(&mut self, manifest: Manifest) {
        self.manifests.insert(manifest.name.clone(), manifest);
    }

    /// Returns a sentence that lists the names of the tasks, and suggests one for this name.
    pub(crate) fn help_with_task(&self, task: &str) -> String {
        let tasks = || self.manifests.values().flat_map(|it| &it.tasks).map(|it| it.name.as_str());
        let holds = format!("the plugins have {}", listed(tasks()));
        let nothing = || format!("no plugin in {} has a task", self.folder.display());
        if tasks().next().is_none() { nothing() } else { suggestion(task, tasks(), &holds) }
    }

    /// Returns a sentence that lists the names of the plugins, and suggests one for this name.
    pub(crate) fn help(&self, name: &str) -> String {
        if self.manifests.is_empty() {
            return format!("no plugin was loaded from {}", self.folder.display());
        }
        let holds = format!("{} holds {}", self.folder.display(), listed(self.manifests.keys()));
        suggestion(name, self.manifests.keys().map(String::as_str), &holds)
    }
}

/// A warning that a library is loaded for which nobody vouches, if trust is to warn about that.
pub(crate) fn trust_warning(library: &Inspected) -> Option<Diagnostic> {
    let doubt = library.doubt.as_ref()?;
    let message = format!("{doubt} [{}]; it is loaded, as trust is to warn only", doubt.code());
    let finding = Diagnostic::new(&library.path, Severity::Warning, message);
    Some(finding.with_help(doubt.remedy()))
}

/// A warning that a panic in this library would end the host.
pub(crate) fn abort_warning(library: &Inspected) -> Option<Diagnostic> {
    library.descriptor.aborts_on_panic.then(|| {
        let message = "it is built with `panic = \"abort\"`: a panic in it ends the host";
        let finding = Diagnostic::new(&library.path, Severity::Warning, message.to_owned());
        finding.with_help("build it with `panic = \"unwind\"`, which is cargo's default")
    })
}

/// Converts a refusal into a warning.
pub(crate) fn warning(refused: &LoadError) -> Diagnostic {
    let refusal = &refused.refusal;
    let message = format!("{refusal} [{}]", refusal.code());
    Diagnostic::new(&refused.path, Severity::Warning, message).with_help(refusal.remedy())
}

/// Counts the components that the configuration takes from each plugin.
fn component_counts(config: &Config) -> HashMap<&str, usize> {
    let mut used = HashMap::new();
    for entry in config.pipeline.iter().flat_map(|pipeline| pipeline.components()) {
        *used.entry(entry.plugin.as_str()).or_default() += 1;
    }
    used
}

/// Returns the number of threads for a plugin's bay, from its settings or by default.
fn threads(config: &Config, plugin: &str) -> NonZeroUsize {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let components = component_counts(config).get(plugin).copied().unwrap_or(1).max(1);
    let usual = NonZeroUsize::new(components).unwrap_or(NonZeroUsize::MIN).min(cores);
    config.plugins.settings.get(plugin).and_then(|settings| settings.threads).unwrap_or(usual)
}
