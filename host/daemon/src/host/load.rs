//! Loading the plugins of a host that does not run yet.

use std::{path::Path, sync::Arc, time::Duration};

use hotbay_config::{ConfigPath, Diagnostic, Diagnostics, Severity};
use hotbay_loader::{Inspected, LoadError, Refusal, scan};
use tokio::{
    task::{JoinError, JoinSet},
    time::timeout,
};

use super::Host;
use crate::{
    HostError,
    check::{self, Missing},
    plugins::{
        ClosingPlugin, ClosingPlugins, KnownPlugins, LoadedPlugin, abort_warning, read_sidecar,
        trust_warning, warning,
    },
    refused::{RefusedFile, RolloutStep, StepFailure},
    resolve::resolve,
};

/// How long a host that starts waits for the next library to be inspected.
const START_PATIENCE: Duration = Duration::from_millis(500);

impl Host {
    /// Loads the plugins and checks the configuration against them; returns all findings.
    ///
    /// # Errors
    /// If the plugins folder can't be read, or the system does not let the host work.
    pub(super) async fn load_and_check(&mut self) -> Result<Diagnostics, HostError> {
        let follows = self.config.follows_changes();
        let mut found = match self.load_all().await {
            Ok(found) => found,
            // The folder may be made while the host runs.
            Err(HostError::Configuration(found)) if follows => found.into_warnings(),
            Err(error) => return Err(error),
        };
        let missing = if follows { Missing::Waits } else { Missing::Refused };
        let mut unfit = Vec::new();
        for (name, plugin) in &self.plugins {
            let with = (&*plugin.generation, &plugin.sidecar);
            let mut own = Diagnostics::new();
            let resolved = resolve(&self.config, with, &mut own).await;
            if self.puts_up_with(&own) {
                unfit.push((name.clone(), own));
            } else {
                found.append(own);
                self.resolved.insert(name.clone(), resolved);
            }
        }
        let mut closing = ClosingPlugins::default();
        for (name, own) in unfit {
            let Some(plugin) = self.plugins.remove(&name) else { continue };
            found.append(self.refuse_at_start(&plugin.file, own));
            closing.begin(ClosingPlugin::of(plugin));
        }
        closing.finish().await;
        let known = KnownPlugins::new(&self.config.plugins.folder, &self.plugins);
        check::tasks(&self.config, &known, missing, &mut found);
        check::components(&self.config, &known, missing, &mut found);
        Ok(found)
    }

    /// Loads every library in the plugins folder.
    ///
    /// A refused file is only a warning here: an error follows if the configuration needs a plugin
    /// that was not loaded, and the host does not wait for it.
    async fn load_all(&mut self) -> Result<Diagnostics, HostError> {
        let mut warnings = Diagnostics::new();
        let folder = &self.config.plugins.folder;
        let files = scan(folder).map_err(|error| {
            let path = ConfigPath::root().key("plugins").key("folder");
            let message = format!("the plugins folder {} can't be read: {error}", folder.display());
            let help = "make the folder, or name another one under `plugins.folder`";
            let mut found = Diagnostics::new();
            found.push(self.config.error_at(&path, message).with_help(help));
            HostError::Configuration(found)
        })?;
        let mut inspections = JoinSet::new();
        for file in files {
            let (loader, trust) = (Arc::clone(&self.loader), Arc::clone(&self.trust));
            inspections.spawn(async move { loader.inspect(&file, &trust).await });
        }
        let mut inspected = Vec::new();
        while let Some(joined) = self.next_inspection(&mut inspections).await {
            match joined.map_err(|error| HostError::System(error.to_string()))? {
                Ok(library) => inspected.push(library),
                Err(refused) => warnings.push(self.refuse_file(&refused)),
            }
        }
        inspected.sort_by(|a, b| a.path.cmp(&b.path));
        for library in inspected {
            warnings.extend(trust_warning(&library));
            warnings.extend(abort_warning(&library));
            self.load(library, &mut warnings).await;
        }
        Ok(warnings)
    }

    /// Waits for the next inspection that ends. Returns `None` if there are no more.
    ///
    /// A host that follows changes does not wait for libraries that hang: when none has ended for a
    /// while, the rest is left to the running host, which examines every file that is not in service.
    async fn next_inspection<T: 'static>(
        &self,
        inspections: &mut JoinSet<T>,
    ) -> Option<Result<T, JoinError>> {
        if !self.config.follows_changes() {
            return inspections.join_next().await;
        }
        match timeout(START_PATIENCE, inspections.join_next()).await {
            Ok(joined) => joined,
            Err(_) => {
                let count = inspections.len();
                tracing::warn!(count, "starting without plugins whose check takes long");
                None
            }
        }
    }

    /// Loads one library. Problems are added to the warnings.
    async fn load(&mut self, library: Inspected, warnings: &mut Diagnostics) {
        let name = library.manifest.name.clone();
        if let Some(first) = self.plugins.get(&name) {
            let refusal = Refusal::Duplicate { name, from: first.file.clone() };
            let mut finding = self.refuse_file(&LoadError { path: library.path, refusal });
            if !self.config.follows_changes() {
                // Nobody can take one of the files away while the host runs.
                finding.severity = Severity::Error;
            }
            warnings.push(finding);
            return;
        }
        let sidecar = match read_sidecar(&self.config, &library.path, &name) {
            Ok(sidecar) => sidecar,
            Err(found) if self.puts_up_with(&found) => {
                return warnings.append(self.refuse_at_start(&library.path, found));
            }
            Err(found) => return warnings.append(found),
        };
        let with = (sidecar, self.plugins.len() as u64 + 1);
        match LoadedPlugin::load(&self.loader, &self.config, library, with).await {
            Ok(loaded) => {
                tracing::info!(plugin = name, number = loaded.number, "loaded");
                self.plugins.insert(name, loaded);
            }
            Err(refused) => warnings.push(self.refuse_file(&refused)),
        }
    }

    /// Returns `true` if these errors keep only their plugin out of service, as they would in a host
    /// that runs: it follows changes, and none of them is in the configuration itself.
    fn puts_up_with(&self, found: &Diagnostics) -> bool {
        let mut errors = found.iter().filter(|it| it.severity == Severity::Error);
        self.config.follows_changes()
            && found.has_errors()
            && errors.all(|it| it.file != self.config.file())
    }

    /// Notes that a library does not come into service for these errors, and returns them as
    /// warnings.
    fn refuse_at_start(&mut self, library: &Path, found: Diagnostics) -> Diagnostics {
        let failure = StepFailure::new(RolloutStep::Configuration, &found);
        self.refused.insert(library.to_owned(), RefusedFile::at_step(&failure));
        found.into_warnings()
    }

    /// Notes that the loader refused a library, and returns that as a warning.
    fn refuse_file(&mut self, refused: &LoadError) -> Diagnostic {
        self.refused.insert(refused.path.clone(), RefusedFile::from(refused));
        warning(refused)
    }
}
