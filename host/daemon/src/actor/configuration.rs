//! Taking over a changed configuration, or changed settings beside a library.
//!
//! Everything is checked first, in an operation that touches nothing. What changed is then
//! prepared and replaced in a second operation, which undoes all of it if one step fails; its
//! last step, taking out what the configuration names no more, cannot fail.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use hotbay_config::{Config, ConfigPath, Diagnostic, Diagnostics, Sidecar};
use hotbay_loader::Trust;
use hotbay_plugin_api::{ChannelName, SchedulerError};
use hotbay_runtime::{
    Generation, Services,
    change::{After, Changed, Limits, Plan, PluginCore, Seated, Swap, call_hook, change_over},
};
use hotbay_tasks::{Prepared, Scheduled, TaskFactory};

use super::{Actor, Event};
use crate::{
    HostEvent,
    check::{self, Missing},
    configuration::{check_channels, needs_restart},
    pipeline::{Departed, Departure, MemberState, is_place_of, take_out},
    plugins::{KnownPlugins, read_sidecar},
    reconcile::Subject,
    resolve::{ResolvedComponent, ResolvedPlugin, resolve},
    trust,
};

/// How long a component gets to shut down.
const HOOK: Duration = Duration::from_secs(2);

/// What was read that the host depends on, with the number of the reading: of two that are
/// under way, the second has seen the newer content, whichever ends first.
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

/// A configuration that was held against the plugins in service, and is sound.
pub(crate) struct Checked {
    subject: Subject,
    config: Arc<Config>,
    trust: Arc<Trust>,
    /// The settings beside a library, if they are the subject.
    sidecar: Option<Sidecar>,
    plugins: BTreeMap<String, ResolvedPlugin>,
    warnings: Diagnostics,
}

/// What was prepared and replaced for a configuration.
pub(crate) struct Applied {
    checked: Checked,
    changed: Vec<Changed>,
    departed: Vec<Departed>,
    tasks: BTreeMap<String, Prepared>,
    count: usize,
}

impl Actor {
    /// Reads the configuration and whom to trust, and looks at the plugins folder.
    pub(super) fn reload(&mut self) {
        tracing::info!("asked to read the configuration again");
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
            let read = tokio::task::spawn_blocking(move || (source.read)()).await;
            match read {
                Ok(read) => Event::Read(Read::Configuration(number, read.map(Arc::new))),
                Err(error) => {
                    tracing::error!(%error, "reading the configuration panicked");
                    Event::Read(Read::Configuration(number, Err(Diagnostics::new())))
                }
            }
        });
    }

    /// Reads again what the configuration names as trusted.
    pub(super) fn read_trust(&mut self) {
        let config = Arc::clone(&self.config);
        self.readings.trust += 1;
        let number = self.readings.trust;
        self.spawn(async move { Event::Read(Read::Trust(number, trust::read(&config))) });
    }

    pub(super) fn note_read(&mut self, read: Read) {
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
                tracing::error!("whom to trust stays as it was:\n{found}");
            }
        }
    }

    /// Trusts others from now on. What is loaded stays.
    fn set_trust(&mut self, trust: Arc<Trust>) {
        if self.trust == trust {
            return;
        }
        tracing::info!(mode = %trust.mode, "whom the host trusts has changed");
        self.plugins.values_mut().for_each(|plugin| plugin.judge_again(&trust));
        self.trust = trust;
        self.desired.trust += 1;
        self.desired.circumstances += 1;
    }

    fn refuse_configuration(&mut self, found: Diagnostics) {
        self.configuration_refused = Some(found.to_string());
        note(&Subject::Configuration, Err(found));
        self.tell(HostEvent::Configuration { accepted: false });
    }

    /// Holds the newest configuration, or the newest settings, against the plugins.
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
        let request = CheckRequest {
            subject,
            config,
            before: Arc::clone(&self.config),
            services: self.services.clone(),
            plugins: self.plugins.iter().map(plugin).collect(),
            known: self.known(),
        };
        self.spawn(async move { Event::Checked(Box::new(request.run().await)) });
    }

    pub(super) fn note_checked(&mut self, checked: Result<Checked, (Subject, Diagnostics)>) {
        let checked = match checked {
            Ok(checked) => checked,
            Err((subject, found)) => return self.end_reconfiguration(subject, Err(found)),
        };
        let changes: Vec<_> =
            checked.plugins.keys().filter(|it| self.changes(it, &checked)).cloned().collect();
        let is_busy = |plugin: &String| {
            self.observed.plugins.get(plugin).is_none_or(|it| it.activity.is_some())
        };
        if self.check_is_stale || changes.iter().any(is_busy) {
            // It is checked again as soon as nothing else is under way.
            self.observed.reconfigure_ended();
            return;
        }
        self.observed.reconfigures(&changes);
        let request = self.apply_request(checked, changes);
        self.spawn(async move { Event::Applied(Box::new(request.run().await)) });
    }

    fn apply_request(&self, checked: Checked, changes: Vec<String>) -> ApplyRequest {
        let mut tasks = Vec::new();
        for plugin in &changes {
            let Some(generation) = self.generation(plugin) else { continue };
            let (kept, fresh, count) = self.divide_tasks(plugin, &checked.plugins[plugin].tasks);
            tasks.push(TaskChange { plugin: plugin.clone(), generation, kept, fresh, count });
        }
        let config = Arc::clone(&checked.config);
        ApplyRequest {
            steps: self.component_steps(&checked),
            departures: self.departures(&config),
            core: self.pipeline.as_ref().and_then(|it| it.core()).cloned(),
            limits: Limits::of(&self.config.reload, After::Service),
            drain: config.shutdown.drain,
            services: self.services.clone(),
            factory: self.factory.clone(),
            tasks,
            checked,
        }
    }

    /// Divides a plugin's tasks into those that keep what they run and those that are made
    /// anew, and counts those that differ.
    fn divide_tasks(&self, plugin: &str, tasks: &[Scheduled]) -> (Prepared, Vec<Scheduled>, usize) {
        let now = self.tasks.of_plugin(plugin);
        let (mut kept, mut fresh, mut changed) = (Prepared::new(), Vec::new(), 0);
        for task in tasks {
            let same = now.iter().find(|(it, _)| it.id() == task.id() && it.config == task.config);
            match same {
                Some((was, build)) => {
                    changed += usize::from(was != task);
                    kept.push((task.clone(), build.clone()));
                }
                None => fresh.push(task.clone()),
            }
        }
        changed += fresh.len() + now.len().saturating_sub(kept.len());
        (kept, fresh, changed)
    }

    /// The components that run and are to be something else.
    fn component_steps(&self, checked: &Checked) -> Vec<(Plan, Seated, Arc<Generation>)> {
        let Some(pipeline) = &self.pipeline else { return Vec::new() };
        let to: Vec<_> = checked.plugins.values().flat_map(|it| &it.components).collect();
        let mut steps = Vec::new();
        for member in pipeline.members() {
            let new = to.iter().find(|it| it.is_same_place(member));
            let (Some(new), Some(old)) = (new, &member.resolved) else { continue };
            if let (true, MemberState::Runs, Some(seated), Some(generation)) = (
                new.differs(old),
                pipeline.state(member),
                &member.seated,
                self.generation(&new.plugin),
            ) {
                steps.push((member.plan(new), seated.clone(), generation));
            }
        }
        steps
    }

    /// The components that the configuration names no more.
    fn departures(&self, config: &Config) -> Vec<Departure> {
        let (Some(pipeline), Some(written)) = (&self.pipeline, &config.pipeline) else {
            return Vec::new();
        };
        pipeline.departures(|it| !written.components().any(|entry| is_place_of(entry, it)))
    }

    /// Whether a plugin is to have other components or tasks than it has.
    fn changes(&self, plugin: &str, checked: &Checked) -> bool {
        let to = &checked.plugins[plugin];
        let tasks = self.tasks.of_plugin(plugin);
        let members = self.pipeline.iter().flat_map(|it| it.members());
        let members: Vec<_> = members.filter(|member| member.plugin == plugin).collect();
        let is_there = |resolved: &ResolvedComponent| {
            members.iter().any(|member| {
                let was = member.resolved.as_ref();
                resolved.is_same_place(member) && was.is_some_and(|was| !resolved.differs(was))
            })
        };
        tasks.len() != to.tasks.len()
            || !to.tasks.iter().all(|task| tasks.iter().any(|(it, _)| it == task))
            || members.len() != to.components.len()
            || !to.components.iter().all(is_there)
    }

    pub(super) fn note_applied(&mut self, applied: Result<Applied, (Subject, Diagnostics)>) {
        let Applied { checked, changed, departed, tasks, mut count } = match applied {
            Ok(applied) => applied,
            Err((subject, found)) => return self.end_reconfiguration(subject, Err(found)),
        };
        let Checked { subject, config, trust, sidecar, plugins, warnings } = checked;
        // A build on probation could not go back to what it does not know.
        for plugin in
            tasks.keys().filter(|it| self.probations.contains_key(*it)).cloned().collect::<Vec<_>>()
        {
            self.confirm(&plugin);
            self.observed.begin(&crate::reconcile::Action::Confirm { plugin }, &self.desired);
        }
        count += changed.len();
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.seat(&changed);
            pipeline.note_departed(&departed);
            count += pipeline.rearrange(&config);
            for (plugin, resolved) in plugins {
                if tasks.contains_key(&plugin) {
                    pipeline.resolve(resolved.components);
                }
            }
        }
        for one in changed {
            if let Some(runtime) = one.old.options.runtime.clone() {
                tokio::spawn(async move { call_hook(&one.old.task, &runtime, HOOK).await });
            }
        }
        for (plugin, tasks) in tasks {
            let drain = config.shutdown.drain;
            for (_, build) in self.seat_tasks(&plugin, tasks) {
                tokio::spawn(async move { build.drain(drain).await });
            }
        }
        if let (Subject::Settings { plugin }, Some(sidecar)) = (&subject, sidecar)
            && let Some(loaded) = self.plugins.get_mut(plugin)
        {
            loaded.sidecar = sidecar;
        }
        self.take_warnings(warnings);
        self.config = config;
        self.set_trust(trust);
        // Its files may have changed since the configuration was checked.
        self.read_trust();
        if let Some(watch) = &self.watch {
            // Another configuration may name other files.
            watch.set_files(self.files_beside());
        }
        self.end_reconfiguration(subject, Ok(count));
    }

    fn take_warnings(&mut self, warnings: Diagnostics) {
        let known = |it: &Diagnostic| self.warned.iter().any(|known| known.says_the_same(it));
        for finding in warnings.iter().filter(|it| !known(it)) {
            tracing::warn!("{finding}");
        }
        self.warned = warnings;
    }

    fn end_reconfiguration(&mut self, subject: Subject, result: Result<usize, Diagnostics>) {
        let accepted = result.is_ok();
        if subject == Subject::Configuration {
            if !self.readings.refused {
                self.configuration_refused = result.as_ref().err().map(ToString::to_string);
            }
            self.tell(HostEvent::Configuration { accepted });
            // Settings that changed have been one of the circumstances since they were seen.
            self.desired.circumstances += u64::from(accepted);
        }
        self.observed.reconfigured(&subject);
        note(&subject, result);
    }
}

/// A plugin that a configuration is held against.
struct CheckedPlugin {
    generation: Arc<Generation>,
    file: PathBuf,
    sidecar: Sidecar,
}

/// What it takes to check a configuration.
struct CheckRequest {
    subject: Subject,
    config: Arc<Config>,
    before: Arc<Config>,
    services: Services,
    plugins: BTreeMap<String, CheckedPlugin>,
    known: KnownPlugins,
}

impl CheckRequest {
    async fn run(mut self) -> Result<Checked, (Subject, Diagnostics)> {
        let sidecar = match self.read_settings() {
            Ok(sidecar) => sidecar,
            Err(found) => return Err((self.subject, found)),
        };
        let Self { subject, config, before, services, plugins, known } = self;
        let mut findings = Diagnostics::new();
        needs_restart(&before, &config, &mut findings);
        let trust = trust::read(&config).unwrap_or_else(|found| {
            findings.extend(found);
            Arc::default()
        });
        check_channels(&config, &services, &mut findings);
        let mut resolved = BTreeMap::new();
        for (name, CheckedPlugin { generation, file, sidecar }) in &plugins {
            let plugin = resolve(&config, file, (generation, sidecar), &mut findings).await;
            resolved.insert(name.clone(), plugin);
        }
        check::tasks(&config, &known, Missing::Waits, &mut findings);
        check::components(&config, &known, Missing::Waits, &mut findings);
        if findings.has_errors() {
            return Err((subject, findings));
        }
        Ok(Checked { subject, config, trust, sidecar, plugins: resolved, warnings: findings })
    }

    /// Reads the settings that are the subject.
    fn read_settings(&mut self) -> Result<Option<Sidecar>, Diagnostics> {
        let Subject::Settings { plugin } = &self.subject else { return Ok(None) };
        let Some(checked) = self.plugins.get_mut(plugin) else { return Ok(None) };
        let sidecar = read_sidecar(&checked.file, plugin)?;
        checked.sidecar = sidecar.clone();
        Ok(Some(sidecar))
    }
}

/// The tasks of one plugin that a configuration changes.
struct TaskChange {
    plugin: String,
    generation: Arc<Generation>,
    kept: Prepared,
    fresh: Vec<Scheduled>,
    count: usize,
}

/// What it takes to take over a configuration.
struct ApplyRequest {
    checked: Checked,
    tasks: Vec<TaskChange>,
    steps: Vec<(Plan, Seated, Arc<Generation>)>,
    departures: Vec<Departure>,
    core: Option<PluginCore>,
    limits: Limits,
    drain: Duration,
    services: Services,
    factory: TaskFactory,
}

impl ApplyRequest {
    async fn run(self) -> Result<Applied, (Subject, Diagnostics)> {
        let Self { checked, tasks, steps, departures, core, limits, drain, services, factory } =
            self;
        let refuse = |checked: Checked, reason: String| {
            let mut found = Diagnostics::new();
            found.push(checked.config.error_at(&ConfigPath::root(), reason));
            (checked.subject, found)
        };
        let (mut prepared, mut count) = (BTreeMap::new(), 0);
        for change in tasks {
            let TaskChange { plugin, generation, mut kept, fresh, count: differ } = change;
            match factory.prepare(&generation, fresh, &services) {
                Ok(made) => kept.extend(made),
                Err(error) => {
                    let text = format!("the tasks of plugin `{plugin}` can't be made: {error}");
                    return Err(refuse(checked, text));
                }
            }
            prepared.insert(plugin, kept);
            count += differ;
        }
        let declared = match declare(&checked.config, &services) {
            Ok(declared) => declared,
            Err(error) => return Err(refuse(checked, error.to_string())),
        };
        let mut changed = Vec::new();
        if let Some(core) = &core {
            let swaps: Vec<_> = steps
                .iter()
                .map(|(plan, old, to)| Swap { plan: plan.clone(), old: old.clone(), to: &**to })
                .collect();
            let (result, held) = change_over(core, &swaps, &services, limits).await;
            match result {
                Ok(done) => changed = done,
                Err(failed) => {
                    withdraw(&declared, &services);
                    let text = format!("{failed}; all components go on as they were");
                    return Err(refuse(checked, text));
                }
            }
            tracing::info!(components = changed.len(), ?held, "reconfigured");
        }
        let departed = match &core {
            Some(core) => take_out(departures, core, drain).await,
            None => Vec::new(),
        };
        Ok(Applied { checked, changed, departed, tasks: prepared, count })
    }
}

/// Declares the channels that are new; all of them or none.
fn declare(config: &Config, services: &Services) -> Result<Vec<ChannelName>, SchedulerError> {
    let mut declared = Vec::new();
    for (name, channel) in &config.channels {
        let name = ChannelName::from(name.as_str());
        if services.bus.stats(&name).is_ok() {
            continue;
        }
        if let Err(error) =
            services.bus.declare_with(name.clone(), channel.config(), channel.overflow)
        {
            withdraw(&declared, services);
            return Err(error);
        }
        declared.push(name);
    }
    Ok(declared)
}

/// Takes declarations back that were made for a configuration that is refused.
fn withdraw(declared: &[ChannelName], services: &Services) {
    declared.iter().for_each(|name| drop(services.bus.withdraw(name)));
}

fn note(subject: &Subject, result: Result<usize, Diagnostics>) {
    let what = match subject {
        Subject::Configuration => "the configuration".to_owned(),
        Subject::Settings { plugin } => format!("the settings of plugin {plugin}"),
    };
    match result {
        Ok(0) => tracing::debug!("{what}: read again, nothing to do"),
        Ok(count) => tracing::info!(count, "{what}: taken over"),
        Err(found) => tracing::error!("{what}: refused, the one before goes on:\n{found}"),
    }
}
