//! Taking over a changed configuration, or changed settings beside a library.
//!
//! All is checked before anything is touched; what did not change goes on undisturbed.

mod fixed;

use std::{collections::BTreeMap, sync::Arc};

use super::{Live, Meaning, meaning};
use hotbay_tasks::Prepared;

use crate::{
    check::{self, Missing},
    pipeline::{Stand, Strictness},
    plugins::read_sidecar,
    trust,
    wiring::Wired,
};
use hotbay_config::{Config, ConfigPath, Diagnostic, Diagnostics, Sidecar};
use hotbay_loader::Trust;
use hotbay_runtime::change::{After, Limits, Swap, call_hook, change_over};

use fixed::{fixed, needs_restart};

/// A configuration that was checked against the plugins in service.
struct Checked {
    config: Config,
    trust: Arc<Trust>,
    meanings: BTreeMap<String, Meaning>,
}

impl Live {
    /// Takes over a configuration; gives how many components and tasks changed.
    ///
    /// # Errors
    /// Everything that is wrong; then all goes on as it was.
    pub(crate) async fn reconfigure(&mut self, config: Config) -> Result<usize, Diagnostics> {
        // A build that has failed on probation is not the one to check against.
        let failed: Vec<_> =
            self.probation.keys().filter(|name| self.failure(name).is_some()).cloned().collect();
        for name in failed {
            self.settle(&name).await;
        }
        let mut findings = Diagnostics::new();
        needs_restart(&self.config, &config, &mut findings);
        let trust = trust::read(&config).unwrap_or_else(|found| {
            findings.extend(found);
            Arc::default()
        });
        self.check_channels(&config, &mut findings);
        let mut checked = Checked { config, trust, meanings: BTreeMap::new() };
        for berth in self.plugins.berths() {
            let meaning = meaning(&checked.config, berth, &mut findings).await;
            checked.meanings.insert(berth.generation.name().to_owned(), meaning);
        }
        let plugins = &self.plugins;
        check::tasks(&checked.config, plugins, Missing::Waits, &mut findings);
        check::components(&checked.config, plugins, Missing::Waits, &mut findings);
        if findings.has_errors() {
            return Err(findings);
        }
        let known = |it: &Diagnostic| self.warned.iter().any(|known| known.says_the_same(it));
        for finding in findings.iter().filter(|it| !known(it)) {
            tracing::warn!("{finding}");
        }
        self.warned = findings;
        self.take_over(checked).await
    }

    /// Reads the settings beside a plugin's library again.
    ///
    /// # Errors
    /// Everything that is wrong; then the plugin goes on with the settings that it has.
    pub(crate) async fn reconfigure_plugin(&mut self, name: &str) -> Result<usize, Diagnostics> {
        let Some(berth) = self.plugins.berth_mut(name) else { return Ok(0) };
        let sidecar = read_sidecar(berth.path(), name)?;
        if sidecar == berth.sidecar {
            return Ok(0);
        }
        let before: Sidecar = std::mem::replace(&mut berth.sidecar, sidecar);
        let result = self.reconfigure(self.config.clone()).await;
        if result.is_err()
            && let Some(berth) = self.plugins.berth_mut(name)
        {
            berth.sidecar = before;
        }
        result
    }

    /// Reads again what the configuration names as trusted. What is wrong with it is logged,
    /// and all stays as it was.
    pub(crate) fn renew_trust(&mut self) {
        match trust::read(&self.config) {
            Ok(trust) => self.plugins.set_trust(trust),
            Err(found) => tracing::error!("whom to trust stays as it was:\n{found}"),
        }
    }

    async fn take_over(&mut self, checked: Checked) -> Result<usize, Diagnostics> {
        let Checked { config, trust, meanings } = checked;
        // A build on probation could not go back to what it does not know.
        let names = self.probation.keys().filter(|it| self.changes(it, meanings.get(*it)));
        let names: Vec<_> = names.cloned().collect();
        names.iter().for_each(|name| self.confirm(name));
        let refuse = |reason: String| {
            let mut found = Diagnostics::new();
            found.push(config.error_at(&ConfigPath::root(), reason));
            found
        };
        for (name, channel) in &config.channels {
            if self.services.bus.stats(&name.as_str().into()).is_err() {
                let declared = self.services.bus.declare_with(
                    name.as_str().into(),
                    channel.config(),
                    channel.overflow,
                );
                declared.map_err(|error| refuse(error.to_string()))?;
            }
        }
        let mut prepared = Vec::new();
        for (name, meaning) in &meanings {
            let (tasks, fresh) = self.prepare_changed(name, meaning).await.map_err(|error| {
                refuse(format!("the tasks of plugin `{name}` can't be made: {error}"))
            })?;
            prepared.push((name.clone(), tasks, fresh));
        }
        let mut count = self.change_components(&meanings).await.map_err(refuse)?;
        count += self.change_members(&config, meanings).await;
        for (name, tasks, fresh) in prepared {
            count += fresh;
            let before = self.seat(&name, tasks);
            let drain = config.shutdown.drain;
            for (_, build) in before {
                tokio::spawn(async move { build.drain(drain).await });
            }
        }
        self.config = config;
        self.plugins.set_trust(trust);
        if let Err(error) = self.start_pipeline(Strictness::Each).await {
            tracing::error!(%error, "the pipeline does not start");
        }
        Ok(count)
    }

    /// Whether a plugin is to have other components or tasks than it has.
    fn changes(&self, plugin: &str, to: Option<&Meaning>) -> bool {
        let Some(to) = to else { return true };
        let tasks = self.tasks.of_plugin(plugin);
        let members: Vec<_> = match &self.pipeline {
            Some(it) => it.members().iter().filter(|member| member.plugin == plugin).collect(),
            None => Vec::new(),
        };
        let is_there = |wired: &Wired| {
            members.iter().any(|member| {
                wired.is_same_place(member)
                    && member.wired.as_ref().is_some_and(|was| !wired.differs(was))
            })
        };
        tasks.len() != to.tasks.len()
            || !to.tasks.iter().all(|task| tasks.iter().any(|(it, _)| it == task))
            || members.len() != to.components.len()
            || !to.components.iter().all(is_there)
    }

    /// Finds channels that this host knows as something else, even if the configuration
    /// did not name them lately: a channel stays once it is declared.
    fn check_channels(&self, config: &Config, findings: &mut Diagnostics) {
        for (name, channel) in &config.channels {
            let known = self.services.bus.clone_sender(&name.as_str().into());
            if known.is_ok_and(|known| {
                *known.config() != channel.config() || known.overflow() != channel.overflow
            }) {
                let path = ConfigPath::root().key("channels").key(name);
                fixed(config, &path, &format!("channel `{name}`"), findings);
            }
        }
    }

    /// The tasks of a plugin: those that did not change keep what they run. Gives how many
    /// are other ones.
    async fn prepare_changed(
        &self,
        plugin: &str,
        meaning: &Meaning,
    ) -> Result<(Prepared, usize), hotbay_plugin_api::SchedulerError> {
        let Some(berth) = self.plugins.berth(plugin) else { return Ok((Vec::new(), 0)) };
        let now = self.tasks.of_plugin(plugin);
        let (mut prepared, mut fresh, mut changed) = (Prepared::new(), Vec::new(), 0);
        for task in &meaning.tasks {
            let same = now.iter().find(|(it, _)| it.id() == task.id() && it.config == task.config);
            match same {
                Some((was, build)) => {
                    changed += usize::from(was.interval != task.interval);
                    prepared.push((task.clone(), build.clone()));
                }
                None => fresh.push(task.clone()),
            }
        }
        changed += fresh.len() + now.len().saturating_sub(prepared.len());
        let services = &self.services;
        prepared.extend(self.tasks.prepare(&berth.generation, fresh, services).await?);
        Ok((prepared, changed))
    }

    /// Makes those components anew that run and are to be something else: all or none.
    async fn change_components(
        &mut self,
        meanings: &BTreeMap<String, Meaning>,
    ) -> Result<usize, String> {
        let Some(pipeline) = &mut self.pipeline else { return Ok(0) };
        let to: Vec<_> = meanings.values().flat_map(|meaning| &meaning.components).collect();
        let mut swaps = Vec::new();
        for member in pipeline.members() {
            let new = to.iter().find(|it| it.id == member.id && it.is_same_place(member));
            let (Some(new), Some(old)) = (new, &member.wired) else { continue };
            let plugin = self.plugins.get(&new.plugin);
            if let (true, Stand::Runs, Some(seated), Some(plugin)) =
                (new.differs(old), pipeline.stand(member), &member.seated, plugin)
            {
                swaps.push(Swap { plan: member.plan(new), old: seated.clone(), to: plugin });
            }
        }
        let Some(core) = pipeline.core().cloned() else { return Ok(0) };
        let limits = Limits::of(&self.config.reload, After::Service);
        let (changed, held) = change_over(&core, &swaps, &self.services, limits).await;
        let changed =
            changed.map_err(|failed| format!("{failed}; all components go on as they were"))?;
        tracing::info!(components = changed.len(), ?held, "reconfigured");
        let count = changed.len();
        for one in changed {
            if let Some(member) = pipeline.get_mut(one.id.as_str()) {
                member.seated = Some(one.new);
            }
            if let Some(runtime) = one.old.options.runtime.clone() {
                let limit = std::time::Duration::from_secs(2);
                tokio::spawn(async move { call_hook(&one.old.task, &runtime, limit).await });
            }
        }
        Ok(count)
    }

    /// Takes out what the configuration names no more, and adds what it names anew.
    async fn change_members(
        &mut self,
        config: &Config,
        meanings: BTreeMap<String, Meaning>,
    ) -> usize {
        let (Some(pipeline), Some(written)) = (&mut self.pipeline, &config.pipeline) else {
            return 0;
        };
        let mut entries: Vec<_> = written.components().collect();
        let stays = |member: &super::super::pipeline::Member| {
            entries.iter().any(|entry| {
                entry.id == member.id && entry.role == member.role && entry.plugin == member.plugin
            })
        };
        let gone: Vec<_> = pipeline.members().iter().filter(|it| !stays(it)).collect();
        let gone: Vec<_> = gone.into_iter().map(|member| member.id.clone()).collect();
        pipeline.take_out(|member| gone.contains(&member.id), config.shutdown.drain).await;
        pipeline.forget(|member| gone.contains(&member.id));
        let mut added = 0;
        // In the order of the file again, which is the direction of the data.
        for (at, entry) in entries.drain(..).enumerate() {
            let known = pipeline.members().iter().position(|member| member.id == entry.id);
            let member = match known {
                Some(place) => pipeline.members_mut().remove(place),
                None => {
                    added += 1;
                    pipeline.member(entry)
                }
            };
            pipeline.members_mut().insert(at, member);
        }
        for meaning in meanings.into_values() {
            pipeline.wire(meaning.components);
        }
        gone.len() + added
    }
}
