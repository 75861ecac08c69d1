//! Checking a configuration against the plugins in service.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use hotbay_config::{Config, Diagnostics, Sidecar};
use hotbay_loader::Trust;
use hotbay_runtime::{Generation, Services};

use super::read_blocking;
use crate::{
    check::{self, Missing},
    configuration::{check_channels, needs_restart},
    plugins::{KnownPlugins, read_sidecar},
    reconcile::Subject,
    resolve::{ResolvedPlugin, resolve},
    trust,
};

/// A configuration without errors, with the plugins in service that it concerns resolved against it.
pub(crate) struct CheckedConfiguration {
    pub(super) subject: Subject,
    pub(super) config: Arc<Config>,
    pub(super) trust: Arc<Trust>,
    /// The settings file beside a library, if that is the subject.
    pub(super) sidecar: Option<Sidecar>,
    pub(super) plugins: BTreeMap<String, ResolvedPlugin>,
    pub(super) warnings: Diagnostics,
}

/// A plugin in service, against which a configuration is checked.
pub(super) struct CheckedPlugin {
    pub(super) generation: Arc<Generation>,
    pub(super) file: PathBuf,
    pub(super) sidecar: Sidecar,
}

/// The operation that checks a configuration. It changes nothing.
pub(super) struct CheckRequest {
    pub(super) subject: Subject,
    pub(super) config: Arc<Config>,
    pub(super) before: Arc<Config>,
    pub(super) services: Services,
    /// The plugins that are checked: only one if the subject is its settings.
    pub(super) plugins: BTreeMap<String, CheckedPlugin>,
    /// All plugins in service.
    pub(super) known: KnownPlugins,
}

impl CheckRequest {
    pub(super) async fn run(mut self) -> Result<CheckedConfiguration, (Subject, Diagnostics)> {
        let sidecar = match self.read_settings().await {
            Ok(sidecar) => sidecar,
            Err(found) => return Err((self.subject, found)),
        };
        let Self { subject, config, before, services, plugins, known } = self;
        let mut findings = Diagnostics::new();
        needs_restart(&before, &config, &mut findings);
        let read = {
            let config = Arc::clone(&config);
            read_blocking(config.file().to_owned(), move || trust::read(&config)).await
        };
        let trust = read.unwrap_or_else(|found| {
            findings.append(found);
            Arc::default()
        });
        check_channels(&config, &services, &mut findings);
        let mut resolved = BTreeMap::new();
        for (name, CheckedPlugin { generation, sidecar, .. }) in &plugins {
            let plugin = resolve(&config, (generation, sidecar), &mut findings).await;
            resolved.insert(name.clone(), plugin);
        }
        check::tasks(&config, &known, Missing::Waits, &mut findings);
        check::components(&config, &known, Missing::Waits, &mut findings);
        if findings.has_errors() {
            return Err((subject, findings));
        }
        Ok(CheckedConfiguration {
            subject,
            config,
            trust,
            sidecar,
            plugins: resolved,
            warnings: findings,
        })
    }

    /// Reads the settings file again, if that is the subject.
    async fn read_settings(&mut self) -> Result<Option<Sidecar>, Diagnostics> {
        let Subject::Settings { plugin } = &self.subject else { return Ok(None) };
        let Some(checked) = self.plugins.get_mut(plugin) else { return Ok(None) };
        let (file, plugin) = (checked.file.clone(), plugin.clone());
        let config = Arc::clone(&self.config);
        let read = move || read_sidecar(&config, &file, &plugin);
        let sidecar = read_blocking(checked.file.clone(), read).await?;
        checked.sidecar = sidecar.clone();
        self.known.shared = sidecar.shared.clone();
        Ok(Some(sidecar))
    }
}
