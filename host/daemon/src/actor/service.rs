//! Builds on their way into service, on probation, and out of service.

use std::{path::Path, path::PathBuf, sync::Arc, time::Duration, time::Instant};

use futures_util::{StreamExt, stream::FuturesUnordered};
use hotbay_config::{Config, Diagnostics};
use hotbay_loader::{Inspected, Loader, sweep};
use hotbay_runtime::{
    Services,
    change::{After, Changed, Failed, Limits, PluginCore, Seated, Swap, change_back, change_over},
};
use hotbay_store::record::{Build, Handed, Outcome, Replacement, micros, now};
use hotbay_tasks::{Prepared, TaskFactory};
use tokio::task::AbortHandle;

use super::{Actor, Event};
use crate::{
    HostEvent, check,
    pipeline::{Departed, take_out},
    plugins::{Closing, Leak, LoadedPlugin, read_sidecar},
    reconcile::Retry,
    refused::{RefusedFile, Step, StepFailure},
    resolve::{ResolvedComponent, ResolvedPlugin, resolve},
};

/// A loaded build and what it is to run; nothing of it is in service.
pub(crate) struct Brought {
    plugin: LoadedPlugin,
    components: Vec<ResolvedComponent>,
    tasks: Prepared,
}

impl Brought {
    /// Gives up what was to run; the build is closed by whoever gets it.
    pub(crate) fn into_plugin(self) -> LoadedPlugin {
        self.plugin
    }
}

/// A replacement that can still be taken back.
pub(crate) struct Probation {
    changed: Vec<Changed>,
    /// Components of the build before that had ended by themselves.
    ended: Vec<(String, Seated)>,
    /// The build before, which still has its threads and its objects.
    pub(crate) before: LoadedPlugin,
    /// How the components of the build before were resolved.
    resolved: Vec<ResolvedComponent>,
    /// The tasks of the build before.
    tasks: Prepared,
    record: Replacement,
    /// Wakes the loop when something fails.
    watcher: AbortHandle,
}

/// What loading a library gave.
pub(crate) struct LoadReport {
    plugin: String,
    file: PathBuf,
    version: String,
    hash: String,
    result: Result<Brought, (StepFailure, Option<LoadedPlugin>)>,
}

/// What a replacement gave.
pub(crate) struct ChangeReport {
    plugin: String,
    brought: Brought,
    result: Result<Vec<Changed>, Failed>,
    held: Duration,
}

/// What a roll-back gave.
pub(crate) struct RollBackReport {
    plugin: String,
    reason: String,
    probation: Probation,
    olds: Vec<(String, Seated)>,
    departed: Vec<Departed>,
    notes: Vec<String>,
    held: Duration,
}

/// What taking a plugin out gave.
pub(crate) struct RetireReport {
    plugin: String,
    departed: Vec<Departed>,
}

impl Actor {
    pub(super) fn load(&mut self, file: &Path, plugin: String) {
        let Some(library) = self.examined.remove(file) else {
            // It is examined once more.
            self.observed.turned_away(&plugin, Retry::File, &self.desired);
            self.observed.files.remove(file);
            return;
        };
        let request = LoadRequest {
            library,
            number: self.next_number,
            config: Arc::clone(&self.config),
            loader: Arc::clone(&self.loader),
            services: self.services.clone(),
            factory: self.factory.clone(),
            leaks: self.closings.leaks.clone(),
        };
        self.next_number += 1;
        self.spawn(async move { Event::Loaded(Box::new(request.run(plugin).await)) });
    }

    pub(super) fn note_loaded(&mut self, report: LoadReport) {
        let LoadReport { plugin, file, version, hash, result } = report;
        let result = match result {
            Ok(brought) => match self.connects(&brought) {
                Ok(()) => Ok(brought),
                Err(failure) => Err((failure, Some(brought.into_plugin()))),
            },
            Err(refused) => Err(refused),
        };
        match result {
            Ok(brought) => {
                self.brought.insert(plugin.clone(), brought);
                self.observed.loaded(&plugin);
            }
            Err((failure, loaded)) => {
                let to = Build { version, hash, generation: loaded.as_ref().map(|it| it.number) };
                if let Some(loaded) = loaded {
                    self.closings.begin(Closing::of(loaded));
                }
                self.refuse_build(&plugin, &file, to, &failure);
            }
        }
    }

    /// Refuses a build whose ports do not go with those of the plugins in service. Only now is
    /// it known which these are: others may have come while it was loaded.
    fn connects(&self, brought: &Brought) -> Result<(), StepFailure> {
        let own = &brought.plugin.generation.info().manifest;
        let (known, mut findings) = (self.known(), Diagnostics::new());
        let manifest = |plugin: &str| match plugin == own.name {
            true => Some(own),
            false => known.manifest(plugin),
        };
        check::event_types(&self.config, manifest, &mut findings);
        match findings.has_errors() {
            true => Err(StepFailure::new(Step::Configuration, &findings)),
            false => Ok(()),
        }
    }

    /// Refuses a build on its way into service, with a record if it was to replace another.
    fn refuse_build(&mut self, plugin: &str, file: &Path, to: Build, failure: &StepFailure) {
        let StepFailure { step, reason } = failure;
        if self.plugins.contains_key(plugin) {
            self.refuse_replacement(plugin, Some(to), failure);
        } else {
            tracing::error!(plugin, file = %file.display(), %step, "refused: {reason}");
        }
        self.turn_away(plugin, file, failure);
    }

    /// Records that a build does not come into the place of the one in service.
    pub(super) fn refuse_replacement(
        &mut self,
        plugin: &str,
        to: Option<Build>,
        failure: &StepFailure,
    ) {
        let Some(old) = self.plugins.get(plugin) else { return };
        let nothing = Build { version: String::new(), hash: String::new(), generation: None };
        let mut record = record(plugin, old.build(), to.unwrap_or(nothing));
        let version =
            if record.to.version.is_empty() { "its new file" } else { &record.to.version };
        let StepFailure { step, reason } = failure;
        record.alert = Some(format!(
            "plugin {plugin}: {version} does not come into service, {} goes on: {step}: {reason}",
            record.from.version
        ));
        record.outcome = Outcome::Refused { step: step.to_string(), reason: reason.clone() };
        self.record(record);
    }

    /// Puts a build into service that has no predecessor.
    pub(super) fn enter(&mut self, plugin: &str) {
        let Some(Brought { plugin: loaded, components, tasks }) = self.brought.remove(plugin)
        else {
            return;
        };
        self.refused.remove(&loaded.file);
        tracing::info!(plugin, number = loaded.number, "loaded");
        self.tell(HostEvent::Entered { plugin: plugin.to_owned(), generation: loaded.number });
        self.plugins.insert(plugin.to_owned(), loaded);
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.resolve(components);
        }
        for (_, build) in self.seat_tasks(plugin, tasks) {
            tracing::debug!(?build, "a task of an absent plugin had a build");
        }
    }

    /// Puts tasks in their places; returns what was there before.
    pub(super) fn seat_tasks(&mut self, plugin: &str, tasks: Prepared) -> Prepared {
        self.tasks.seat(plugin, tasks).unwrap_or_else(|error| {
            tracing::error!(plugin, %error, "its tasks don't start");
            Prepared::new()
        })
    }

    pub(super) fn change(&mut self, plugin: String) {
        let Some(brought) = self.brought.remove(&plugin) else {
            self.observed.idle(&plugin);
            return;
        };
        let pipeline = self.pipeline.as_ref();
        let core = pipeline.and_then(|it| it.core()).cloned();
        let plans = pipeline.map(|it| it.plans(&brought.components)).unwrap_or_default();
        let limits = Limits::of(&self.config.reload, After::Probation);
        let services = self.services.clone();
        self.spawn(async move {
            let to = Arc::clone(&brought.plugin.generation);
            let swaps: Vec<_> =
                plans.into_iter().map(|(plan, old)| Swap { plan, old, to: &*to }).collect();
            let (result, held) = match &core {
                Some(core) => change_over(core, &swaps, &services, limits).await,
                None => (Ok(Vec::new()), Duration::ZERO),
            };
            Event::Changed(Box::new(ChangeReport { plugin, brought, result, held }))
        });
    }

    pub(super) fn note_changed(&mut self, report: ChangeReport) {
        let ChangeReport { plugin, brought, result, held } = report;
        let Brought { plugin: loaded, components, tasks } = brought;
        let changed = match result {
            Ok(changed) => changed,
            Err(failed) => {
                drop(tasks);
                let reason = format!("{}: {}", failed.component, failed.cause);
                let failure = StepFailure { step: Step::Replace(failed.step), reason };
                let (file, to) = (loaded.file.clone(), loaded.build());
                self.closings.begin(Closing::of(loaded));
                self.refuse_build(&plugin, &file, to, &failure);
                return;
            }
        };
        let (mut resolved, mut ended) = (Vec::new(), Vec::new());
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.seat(&changed);
            let members = pipeline.members().iter().filter(|member| member.plugin == plugin);
            resolved.extend(members.filter_map(|member| member.resolved.clone()));
            ended = pipeline.ended(&plugin);
            pipeline.resolve(components);
            pipeline.refresh(&plugin);
        }
        let tasks = self.seat_tasks(&plugin, tasks);
        self.refused.remove(&loaded.file);
        tracing::info!(plugin, number = loaded.number, "loaded");
        let to = loaded.build();
        let Some(before) = self.plugins.insert(plugin.clone(), loaded) else { return };
        let mut record = record(&plugin, before.build(), to);
        record.held_us = micros(held);
        record.handed = changed.iter().map(handed).collect();
        let watcher = self.watch_probation(&plugin, &changed);
        let until = Instant::now() + self.config.reload.probation;
        self.observed.put_in_service(&plugin, Some(until));
        let probation = Probation { changed, ended, before, resolved, tasks, record, watcher };
        self.probations.insert(plugin, probation);
        self.look_for_gone();
    }

    /// Wakes the loop when a component or a task of a build on probation fails.
    fn watch_probation(&mut self, plugin: &str, changed: &[Changed]) -> AbortHandle {
        let core = self.pipeline.as_ref().and_then(|it| it.core()).cloned();
        let ids: Vec<_> = changed.iter().map(|one| one.id.clone()).collect();
        let builds = self.tasks.of_plugin(plugin);
        self.spawn(async move {
            let faults = FuturesUnordered::new();
            for (core, id) in ids.iter().filter_map(|id| Some((core.as_ref()?, id))) {
                faults.push(core.faulted(id));
            }
            let failures: FuturesUnordered<_> =
                builds.into_iter().map(|(_, build)| build.failed()).collect();
            let (mut faults, mut failures) = (faults, failures);
            tokio::select! {
                Some(_) = faults.next() => {}
                Some(_) = failures.next() => {}
                else => std::future::pending().await,
            }
            Event::ProbationFailed
        })
    }

    /// Notes which builds have failed on probation.
    pub(super) fn note_failures(&mut self) {
        let failed: Vec<_> = self
            .probations
            .keys()
            .filter(|plugin| self.failure(plugin).is_some())
            .cloned()
            .collect();
        failed.iter().for_each(|plugin| self.observed.failed(plugin));
    }

    /// Why the build on probation has failed, if it has.
    pub(super) fn failure(&self, plugin: &str) -> Option<String> {
        let probation = self.probations.get(plugin)?;
        let core = self.pipeline.as_ref().and_then(|it| it.core());
        let mut changed = probation.changed.iter();
        let of_component =
            changed.find_map(|one| Some(format!("{}: {}", one.id, core?.fault(&one.id)?)));
        of_component.or_else(|| {
            let mut tasks = self.tasks.of_plugin(plugin).into_iter();
            tasks.find_map(|(it, build)| Some(format!("task {}: {}", it.id(), build.failure()?)))
        })
    }

    /// Ends a probation well: the build before is closed.
    pub(super) fn confirm(&mut self, plugin: &str) {
        let Some(probation) = self.probations.remove(plugin) else { return };
        let Probation { changed, before, ended, tasks, record, watcher, .. } = probation;
        watcher.abort();
        let mut hooks = Vec::new();
        if let Some(pipeline) = &self.pipeline
            && let Some(core) = pipeline.core()
        {
            changed.iter().for_each(|one| core.confirm(&one.id));
            // What ended by itself goes with its build, so its hook can't wait.
            let left = ended.into_iter().filter(|(id, seated)| {
                let member = pipeline.members().iter().find(|it| it.id == *id);
                let there = member.and_then(|it| it.seated.as_ref());
                there.is_some_and(|it| it.voice.is(&seated.voice))
                    && core.take_hook(&id.as_str().into())
            });
            hooks.extend(left.map(|(_, seated)| seated));
        }
        changed.iter().for_each(|one| one.seat.stop_keeping());
        hooks.extend(changed.into_iter().map(|one| one.old));
        self.closings.begin(Closing {
            tasks: tasks.into_iter().map(|(_, build)| build).collect(),
            drain: self.config.shutdown.drain,
            hooks,
            ..Closing::of(before)
        });
        self.record(Replacement { at: now(), ..record });
    }

    /// Puts the build before back into service.
    pub(super) fn roll_back(&mut self, plugin: String) {
        self.check_is_stale = true;
        let reason = self.failure(&plugin).unwrap_or_default();
        let Some(probation) = self.probations.remove(&plugin) else {
            self.observed.idle(&plugin);
            return;
        };
        probation.watcher.abort();
        let drain = self.config.shutdown.drain;
        let limits = Limits::of(&self.config.reload, After::Service);
        // Components that only the new build had brought into service.
        let went_on = |id: &str| probation.record.handed.iter().any(|it| it.component == id);
        let is_new = |id: &str, of: &str| of == plugin && !went_on(id);
        let mut departures = Vec::new();
        if let Some(pipeline) = &mut self.pipeline {
            departures = pipeline.departures(|one| is_new(&one.id, &one.plugin));
            pipeline.unresolve(|one| is_new(&one.id, &one.plugin));
        }
        let core = self.pipeline.as_ref().and_then(|it| it.core()).cloned();
        self.spawn(roll_back(plugin, reason, probation, (core, departures), limits, drain));
    }

    pub(super) fn note_rolled_back(&mut self, report: RollBackReport) {
        let RollBackReport { plugin, reason, probation, olds, departed, notes, held } = report;
        let Probation { before, resolved, tasks, mut record, .. } = probation;
        record.notes.extend(notes);
        record.held_us += micros(held);
        if let Some(pipeline) = &mut self.pipeline {
            for (id, old) in olds {
                if let Some(member) = pipeline.get_mut(&id) {
                    member.seated = Some(old);
                }
            }
            pipeline.note_departed(&departed);
            pipeline.resolve(resolved);
            pipeline.refresh(&plugin);
        }
        let new = self.seat_tasks(&plugin, tasks);
        let hash = before.hash().to_owned();
        if let Some(failed) = self.plugins.insert(plugin.clone(), before) {
            let failure = StepFailure { step: Step::Probation, reason: reason.clone() };
            self.refused.insert(failed.file.clone(), RefusedFile::at_step(&failure));
            if let Some(loaded) = self.plugins.get_mut(&plugin) {
                // It goes on under the name that its file has now, or had last.
                failed.file.clone_into(&mut loaded.file);
            }
            let tasks = new.into_iter().map(|(_, build)| build).collect();
            let drain = self.config.shutdown.drain;
            self.closings.begin(Closing { tasks, drain, ..Closing::of(failed) });
        }
        self.observed.rolled_back(&plugin, hash, &self.desired);
        record.alert = Some(format!(
            "plugin {plugin} {} failed on probation and {} is back in service: {reason}; bring \
             another build, for a restart would load this one",
            record.to.version, record.from.version
        ));
        record.outcome = Outcome::RolledBack { reason };
        self.record(Replacement { at: now(), ..record });
    }

    /// Takes a plugin out of service after what is queued for its components.
    pub(super) fn retire(&mut self, plugin: String) {
        let drain = self.config.shutdown.drain;
        let mut departures = Vec::new();
        if let Some(pipeline) = &mut self.pipeline {
            departures = pipeline.departures(|member| member.plugin == plugin);
            pipeline.unresolve(|member| member.plugin == plugin);
        }
        let core = self.pipeline.as_ref().and_then(|it| it.core()).cloned();
        self.spawn(async move {
            let departed = match core {
                Some(core) => take_out(departures, &core, drain).await,
                None => Vec::new(),
            };
            Event::Retired(RetireReport { plugin, departed })
        });
    }

    pub(super) fn note_retired(&mut self, RetireReport { plugin, departed }: RetireReport) {
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.note_departed(&departed);
        }
        let before = self.tasks.leave(&plugin);
        if let Some(loaded) = self.plugins.remove(&plugin) {
            tracing::info!(plugin, "its file is gone: retired");
            let tasks = before.into_iter().map(|(_, build)| build).collect();
            let drain = self.config.shutdown.drain;
            self.closings.begin(Closing { tasks, drain, ..Closing::of(loaded) });
        }
        self.observed.retired(&plugin);
        self.look_for_gone();
        self.tell(HostEvent::Retired { plugin });
    }
}

/// What it takes to load a library.
struct LoadRequest {
    library: Inspected,
    number: u64,
    config: Arc<Config>,
    loader: Arc<Loader>,
    services: Services,
    factory: TaskFactory,
    leaks: Vec<Leak>,
}

impl LoadRequest {
    async fn run(self, plugin: String) -> LoadReport {
        let (file, hash) = (self.library.path.clone(), self.library.hash().to_owned());
        let version = self.library.manifest.version.clone();
        let result = self.load(&plugin).await;
        LoadReport { plugin, file, version, hash, result }
    }

    async fn load(self, plugin: &str) -> Result<Brought, (StepFailure, Option<LoadedPlugin>)> {
        let Self { library, number, config, loader, services, factory, leaks } = self;
        bound_leaks(leaks, config.reload.leaks).await.map_err(|failure| (failure, None))?;
        let sidecar = read_sidecar(&library.path, plugin)
            .map_err(|found| (StepFailure::new(Step::Configuration, &found), None))?;
        let mut findings = Diagnostics::new();
        let with = (sidecar, number);
        let loaded = LoadedPlugin::load(&loader, &config, library, with, &mut findings)
            .await
            .map_err(|error| (StepFailure::new(Step::Load, &error.refusal), None))?;
        let with = (&*loaded.generation, &loaded.sidecar);
        let ResolvedPlugin { components, tasks } =
            resolve(&config, &loaded.file, with, &mut findings).await;
        if findings.has_errors() {
            return Err((StepFailure::new(Step::Configuration, &findings), Some(loaded)));
        }
        match factory.prepare(&loaded.generation, tasks, &services) {
            Ok(tasks) => Ok(Brought { plugin: loaded, components, tasks }),
            Err(error) => Err((StepFailure::new(Step::Create, &error), Some(loaded))),
        }
    }
}

/// Refuses to load more when too much could not be unloaded.
async fn bound_leaks(mut leaks: Vec<Leak>, limit: usize) -> Result<(), StepFailure> {
    if leaks.len() >= limit && !leaks.is_empty() {
        // What keeps them may have ended meanwhile.
        if let Err(error) = tokio::task::spawn_blocking(sweep).await {
            tracing::error!(%error, "what could not be unloaded was not tried again");
        }
        leaks.retain(|leak| !leak.is_over());
    }
    match leaks.last() {
        Some(last) if leaks.len() >= limit => {
            let reason = format!(
                "{} builds could not be unloaded, and `reload.leaks` puts up with {limit}; the \
                 last was {}. Mend that plugin so that it ends what it starts, and restart the \
                 host",
                leaks.len(),
                last.text()
            );
            Err(StepFailure { step: Step::Leaks, reason })
        }
        _ => Ok(()),
    }
}

async fn roll_back(
    plugin: String,
    reason: String,
    mut probation: Probation,
    (core, departures): (Option<PluginCore>, Vec<crate::pipeline::Departure>),
    limits: Limits,
    drain: Duration,
) -> Event {
    let changed = std::mem::take(&mut probation.changed);
    let olds = changed.iter().map(|it| (it.id.to_string(), it.old.clone())).collect();
    let (mut notes, mut held, mut departed) = (Vec::new(), Duration::ZERO, Vec::new());
    if let Some(core) = core {
        (notes, held) = change_back(&core, changed, limits).await;
        departed = take_out(departures, &core, drain).await;
    }
    let report = RollBackReport { plugin, reason, probation, olds, departed, notes, held };
    Event::RolledBack(Box::new(report))
}

fn handed(one: &Changed) -> Handed {
    Handed {
        component: one.id.to_string(),
        version: one.state.as_ref().map(|state| state.version),
        bytes: one.state.as_ref().map_or(0, |state| state.bytes.len()),
    }
}

/// A record of a replacement that goes well, unless something else is noted.
fn record(plugin: &str, from: Build, to: Build) -> Replacement {
    Replacement {
        at: now(),
        plugin: plugin.to_owned(),
        from,
        to,
        held_us: 0,
        handed: Vec::new(),
        outcome: Outcome::Replaced,
        alert: None,
        notes: Vec::new(),
    }
}
