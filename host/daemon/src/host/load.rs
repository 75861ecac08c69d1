//! Loading the plugins of a host that does not run yet.

use std::sync::Arc;

use hotbay_config::{ConfigPath, Diagnostics, Severity};
use hotbay_loader::{Inspected, LoadError, Refusal, scan};
use tokio::task::JoinSet;

use super::Host;
use crate::{
    HostError,
    check::{self, Missing},
    plugins::{KnownPlugins, LoadedPlugin, abort_warning, read_sidecar, trust_warning, warning},
    resolve::resolve,
};

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
        for (name, plugin) in &self.plugins {
            let with = (&*plugin.generation, &plugin.sidecar);
            let resolved = resolve(&self.config, &plugin.file, with, &mut found).await;
            self.resolved.insert(name.clone(), resolved);
        }
        let known = KnownPlugins::new(&self.config.plugins.folder, &self.plugins);
        check::tasks(&self.config, &known, missing, &mut found);
        check::components(&self.config, &known, missing, &mut found);
        Ok(found)
    }

    /// Loads every library in the plugins folder.
    ///
    /// A refused file is only a warning here: an error follows if the configuration needs a plugin
    /// that was not loaded.
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
        while let Some(joined) = inspections.join_next().await {
            match joined.map_err(|error| HostError::System(error.to_string()))? {
                Ok(library) => inspected.push(library),
                Err(refused) => warnings.push(warning(&refused)),
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

    /// Loads one library. Problems are added to the warnings.
    async fn load(&mut self, library: Inspected, warnings: &mut Diagnostics) {
        let name = library.manifest.name.clone();
        if let Some(first) = self.plugins.get(&name) {
            let refusal = Refusal::Duplicate { name, from: first.file.clone() };
            let mut finding = warning(&LoadError { path: library.path, refusal });
            if !self.config.follows_changes() {
                // Nobody can take one of the files away while the host runs.
                finding.severity = Severity::Error;
            }
            warnings.push(finding);
            return;
        }
        let sidecar = match read_sidecar(&library.path, &name) {
            Ok(sidecar) => sidecar,
            Err(found) => return warnings.append(found),
        };
        let with = (sidecar, self.plugins.len() as u64 + 1);
        match LoadedPlugin::load(&self.loader, &self.config, library, with).await {
            Ok(loaded) => {
                tracing::info!(plugin = name, number = loaded.number, "loaded");
                self.plugins.insert(name, loaded);
            }
            Err(refused) => warnings.push(warning(&refused)),
        }
    }
}
