//! Applying a changed configuration, or changed settings beside a library.
//!
//! ```text
//! read → check (an operation that changes nothing) → apply (an operation) → in force
//!          └→ refused, or stale: checked again        └→ refused: all is undone
//! ```
//!
//! While a configuration is being applied, no build is loaded, replaced or retired: see the rules
//! of [`reconcile`](crate::reconcile). A check that was overtaken by a roll-back or by another
//! activity of a plugin is stale, and is repeated when nothing else is under way.

mod apply;
mod changes;
mod check;

use std::{path::PathBuf, sync::Arc};

use hotbay_config::{Config, Diagnostic, Diagnostics, Severity};
use hotbay_loader::Trust;
use hotbay_runtime::replacement::call_hook;
use tokio::task::spawn_blocking;

use super::{Actor, ActorEvent};
use crate::{
    HostEvent, RefusedStatus,
    reconcile::{Action, Subject},
    trust,
};

pub(crate) use apply::AppliedConfiguration;
pub(crate) use check::CheckedConfiguration;
use check::{CheckRequest, CheckedPlugin};

/// The result of reading the configuration, or the files that it names as trusted, with the number
/// of the reading. Of two readings under way, the second one saw the newer content, whichever ends
/// first.
pub(crate) enum Read {
    Configuration(u64, Result<Arc<Config>, Diagnostics>),
    Trust(u64, Result<Arc<Trust>, Diagnostics>),
}

/// The numbers of the newest readings.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    configuration: u64,
    trust: u64,
    /// Whether the newest configuration could not be read.
    refused: bool,
}

impl Actor {
    /// Reads the configuration and the trusted keys and pins again, and checks the plugins folder.
    pub(super) fn reload(&mut self) {
        tracing::info!("asked to read the configuration again");
        self.desired.requests += 1;
        self.read_configuration();
        self.read_trust();
        if let Some(watch) = &self.watch {
            watch.nudge();
        }
    }

    /// Reads the configuration again.
    pub(super) fn read_configuration(&mut self) {
        let Some(source) = self.source.clone() else { return };
        self.desired.reading = true;
        self.readings.configuration += 1;
        let number = self.readings.configuration;
        self.spawn(async move {
            let read = read_blocking(source.file.clone(), move || (source.read)()).await;
            ActorEvent::Read(Read::Configuration(number, read.map(Arc::new)))
        });
    }

    /// Reads the trusted keys and pins again that the configuration names.
    pub(super) fn read_trust(&mut self) {
        let config = Arc::clone(&self.config);
        self.readings.trust += 1;
        let number = self.readings.trust;
        self.spawn(async move {
            let read = read_blocking(config.file().to_owned(), move || trust::read(&config)).await;
            ActorEvent::Read(Read::Trust(number, read))
        });
    }

    pub(super) fn on_read(&mut self, read: Read) {
        match read {
            Read::Configuration(number, _) if number != self.readings.configuration => {}
            Read::Trust(number, _) if number != self.readings.trust => {}
            Read::Configuration(_, read) => {
                self.desired.reading = false;
                self.readings.refused = read.is_err();
                match read {
                    Ok(config) => {
                        self.newest = config;
                        self.desired.configuration += 1;
                    }
                    Err(found) => self.refuse_configuration(found),
                }
            }
            Read::Trust(_, Ok(trust)) => self.set_trust(trust),
            Read::Trust(_, Err(found)) => {
                tracing::error!("the trusted keys and pins stay as they were:\n{found}");
            }
        }
    }

    /// Replaces the trusted keys and pins. Loaded plugins stay loaded.
    fn set_trust(&mut self, trust: Arc<Trust>) {
        if self.trust == trust {
            return;
        }
        tracing::info!(mode = %trust.mode, "the trusted keys and pins have changed");
        self.plugins.values_mut().for_each(|plugin| plugin.check_trust(&trust));
        self.trust = trust;
        self.desired.trust += 1;
        self.desired.circumstances += 1;
    }

    fn refuse_configuration(&mut self, found: Diagnostics) {
        self.configuration_refused = Some(found.to_string());
        log_outcome(&Subject::Configuration, Err(found));
        self.send_event(HostEvent::Configuration { accepted: false });
    }

    /// Begins to check the newest configuration against the plugins, or the newest settings of one
    /// plugin against that plugin. A check runs code of each plugin that it is made against.
    pub(super) fn check_configuration(&mut self, subject: Subject) {
        self.check_is_stale = false;
        let config = match &subject {
            Subject::Configuration => Arc::clone(&self.newest),
            Subject::Settings { .. } => Arc::clone(&self.config),
        };
        let plugin = |(name, it): (&String, &crate::plugins::LoadedPlugin)| {
            let (generation, file) = (Arc::clone(&it.generation), it.file.clone());
            (name.clone(), CheckedPlugin { generation, file, sidecar: it.sidecar.clone() })
        };
        let is_concerned = |name: &str| match &subject {
            Subject::Configuration => true,
            Subject::Settings { plugin } => plugin == name,
        };
        let concerned = self.plugins.iter().filter(|(name, _)| is_concerned(name));
        let plugins = concerned.map(plugin).collect();
        let request = CheckRequest {
            subject,
            config,
            before: Arc::clone(&self.config),
            services: self.services.clone(),
            plugins,
            known: self.known(),
        };
        self.spawn(async move { ActorEvent::Checked(Box::new(request.run().await)) });
    }

    pub(super) fn on_checked(
        &mut self,
        checked: Result<CheckedConfiguration, (Subject, Diagnostics)>,
    ) {
        let checked = match checked {
            Ok(checked) => checked,
            Err((subject, found)) => return self.end_reconfiguration(subject, Err(found)),
        };
        let changes: Vec<_> =
            checked.plugins.keys().filter(|it| self.changes(it, &checked)).cloned().collect();
        // A build that has failed on probation is rolled back first.
        let is_busy = |plugin: &String| {
            self.observed.plugins.get(plugin).is_none_or(|it| it.activity.is_some())
                || self.failure(plugin).is_some()
        };
        if self.check_is_stale || changes.iter().any(is_busy) {
            // The configuration is checked again as soon as nothing else is under way.
            self.observed.reconfigure_ended();
            return;
        }
        self.observed.reconfigures(&changes);
        let request = self.apply_request(checked, changes);
        self.spawn(async move { ActorEvent::Applied(Box::new(request.run().await)) });
    }

    pub(super) fn on_applied(
        &mut self,
        applied: Result<AppliedConfiguration, (Subject, Diagnostics)>,
    ) {
        let AppliedConfiguration { checked, changed, removed, tasks, mut count } = match applied {
            Ok(applied) => applied,
            Err((subject, found)) => return self.end_reconfiguration(subject, Err(found)),
        };
        let CheckedConfiguration { subject, config, trust, sidecar, plugins, warnings } = checked;
        // A roll-back would not know the new tasks and components, so a probation ends here.
        for plugin in
            tasks.keys().filter(|it| self.probations.contains_key(*it)).cloned().collect::<Vec<_>>()
        {
            self.confirm_reconfigured(&plugin);
            self.observed.begin(&Action::Confirm { plugin }, &self.desired);
        }
        count += changed.len();
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.note_replaced(&changed);
            pipeline.note_removed(&removed, &self.services);
            count += pipeline.rearrange(&config);
            for (plugin, resolved) in plugins {
                if tasks.contains_key(&plugin) {
                    pipeline.resolve(resolved.components);
                }
            }
        }
        for one in changed {
            if let Some(runtime) = one.old.options.runtime.clone() {
                tokio::spawn(async move { call_hook(&one.old.task, &runtime).await });
            }
        }
        for (plugin, tasks) in tasks {
            let drain = config.shutdown.drain;
            for (_, build) in self.install_tasks(&plugin, tasks) {
                tokio::spawn(async move { build.drain(drain).await });
            }
        }
        // Reading the same text again is no reason to try a refused file again. Settings that
        // changed have been one of the circumstances since they were seen.
        if format!("{config:?}") != format!("{:?}", self.config) {
            self.desired.circumstances += 1;
        }
        if let (Subject::Settings { plugin }, Some(sidecar)) = (&subject, sidecar)
            && let Some(loaded) = self.plugins.get_mut(plugin)
        {
            loaded.sidecar = sidecar;
        }
        self.take_warnings(&subject, warnings);
        if config.limits != self.config.limits {
            self.tasks.set_limits(config.limits);
            count += 1;
        }
        if config.history != self.config.history {
            self.tasks.set_history(config.history);
            count += 1;
        }
        self.config = config;
        self.set_trust(trust);
        // Its files may have changed since the configuration was checked.
        self.read_trust();
        if let Some(watch) = &self.watch {
            // The new configuration may name other files.
            watch.set_files(self.files_beside());
        }
        self.end_reconfiguration(subject, Ok(count));
    }

    /// Logs the warnings that were not logged before.
    fn take_warnings(&mut self, subject: &Subject, mut warnings: Diagnostics) {
        let is_known =
            |it: &Diagnostic| self.known_warnings.iter().any(|known| known.says_the_same(it));
        for finding in warnings.iter().filter(|it| !is_known(it)) {
            tracing::warn!("{finding}");
        }
        if matches!(subject, Subject::Settings { .. }) {
            // The other plugins were not checked, so their warnings still hold.
            let is_new = |it: &&Diagnostic| !warnings.iter().any(|new| new.says_the_same(it));
            let kept: Vec<_> = self.known_warnings.iter().filter(is_new).cloned().collect();
            warnings.extend(kept);
        }
        self.known_warnings = warnings;
    }

    /// Notes that a configuration or settings were applied, or refused.
    fn end_reconfiguration(&mut self, subject: Subject, result: Result<usize, Diagnostics>) {
        let accepted = result.is_ok();
        if subject == Subject::Configuration {
            // Otherwise, why a newer one could not be read is still to be shown.
            if !self.readings.refused {
                self.configuration_refused = result.as_ref().err().map(ToString::to_string);
            }
            self.send_event(HostEvent::Configuration { accepted });
        }
        if let Subject::Settings { plugin } = &subject {
            match &result {
                Ok(_) => drop(self.refused_settings.remove(plugin)),
                Err(found) => {
                    self.refused_settings.insert(plugin.clone(), refused_settings(found));
                }
            }
        }
        self.observed.reconfigured(&subject);
        log_outcome(&subject, result);
    }
}

/// Returns the refusal of a settings file, for the status.
fn refused_settings(found: &Diagnostics) -> RefusedStatus {
    let errors = || found.iter().filter(|it| it.severity == Severity::Error);
    let sentence = |it: &Diagnostic| {
        let line = it.position.map(|at| format!("line {}: ", at.line)).unwrap_or_default();
        let help = it.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{line}{}{help}", it.message)
    };
    RefusedStatus {
        file: errors().next().map(|it| it.file.clone()).unwrap_or_default(),
        code: "settings".to_owned(),
        reason: errors().map(sentence).collect::<Vec<_>>().join("; "),
        remedy: "correct the file; until then, the previous settings stay in force".to_owned(),
    }
}

/// Calls a function that reads files, on a thread that may block.
///
/// # Errors
/// What the function finds wrong, or that it panicked. `file` is the file in which reading begins.
async fn read_blocking<T: Send + 'static>(
    file: PathBuf,
    read: impl FnOnce() -> Result<T, Diagnostics> + Send + 'static,
) -> Result<T, Diagnostics> {
    spawn_blocking(read).await.unwrap_or_else(|error| {
        let mut found = Diagnostics::new();
        found.push(Diagnostic::new(&file, Severity::Error, format!("can't be read: {error}")));
        Err(found)
    })
}

/// Logs the outcome of reading a configuration or settings again.
fn log_outcome(subject: &Subject, result: Result<usize, Diagnostics>) {
    let what = match subject {
        Subject::Configuration => "the configuration".to_owned(),
        Subject::Settings { plugin } => format!("the settings of plugin {plugin}"),
    };
    match result {
        Ok(0) => tracing::debug!("{what}: read again, nothing to do"),
        Ok(count) => tracing::info!(count, "{what}: taken over"),
        Err(found) => tracing::error!("{what}: refused, the previous one stays in force:\n{found}"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[tokio::test]
    async fn a_panic_while_a_file_is_read_is_found_in_that_file() {
        let file = Path::new("hotbay.yaml");
        let read = read_blocking(file.to_owned(), || -> Result<(), _> { panic!("no more memory") });
        let found = read.await.unwrap_err().to_string();
        assert!(found.contains("hotbay.yaml") && found.contains("no more memory"), "{found}");
    }
}
