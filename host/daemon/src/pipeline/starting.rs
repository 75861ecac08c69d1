//! Making, starting and removing the components of a pipeline.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hotbay_config::Config;
use hotbay_core::{
    engine::{ComponentOptions, TradingEngineBuilder},
    scheduler::DriverKind,
};
use hotbay_plugin_api::{Role, SchedulerError, TaskId, TradingEngineError};
use hotbay_runtime::{
    ComponentSetup, ComponentSlot, Generation, Services,
    replacement::{ComponentBuild, PluginCore, call_hook},
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Member, MemberState, PluginEngine, PluginPipeline, limits};
use crate::{HostError, resolved::ResolvedComponent};

/// What happens to the other components if one does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// None of the components is started.
    All,
    /// The other components are started all the same.
    Each,
}

/// The time that the turn of a removed component gets to end.
const GRACE: Duration = Duration::from_millis(250);

/// One component that is to be started.
pub(crate) struct StartRequest {
    role: Role,
    plugin: String,
    setup: ComponentSetup,
    generation: Arc<Generation>,
    /// The previous build, which has ended.
    before: Option<ComponentBuild>,
    is_registered: bool,
}

/// The result of making or starting one component.
pub(crate) struct StartResult {
    pub(crate) id: String,
    pub(crate) result: Result<ComponentBuild, HostError>,
}

impl PluginPipeline {
    /// Returns the requests for all components that can be made, for the first start.
    pub(crate) fn requests(
        &mut self,
        generations: &BTreeMap<String, Arc<Generation>>,
    ) -> Vec<StartRequest> {
        let members = self.members.iter_mut();
        members.filter_map(|member| request(member, generations)).collect()
    }

    /// Returns the requests for the components of one plugin that can be started and do not run.
    ///
    /// They are in the reverse direction of the data: each receiver of events is started before the
    /// components that publish to it.
    pub(crate) fn startable(
        &mut self,
        plugin: &str,
        generation: &Arc<Generation>,
    ) -> Vec<StartRequest> {
        let is_startable = |it: &Member| {
            let waits = matches!(self.state(it), MemberState::Waits | MemberState::Failed);
            it.plugin == plugin && it.may_start && waits
        };
        let startable: Vec<_> = self.members.iter().map(is_startable).collect();
        let generations = BTreeMap::from([(plugin.to_owned(), Arc::clone(generation))]);
        let members =
            self.members.iter_mut().zip(startable).rev().filter(|(_, startable)| *startable);
        members.filter_map(|(member, _)| request(member, &generations)).collect()
    }

    /// Builds the engine of the components that were made.
    ///
    /// Components that could not be made are left out. Returns `None` if a role has none then.
    ///
    /// # Errors
    /// If a component could not be made, or the engine could not be built, and `strictness` is
    /// [`Strictness::All`].
    pub(crate) fn build(
        &mut self,
        config: &Config,
        services: &Services,
        (started, strictness): (Vec<StartResult>, Strictness),
    ) -> Result<Option<Arc<PluginEngine>>, HostError> {
        let mut builder = TradingEngineBuilder::new(services.bus.clone());
        builder = builder.with_limits(limits(config));
        for StartResult { id, result } in started {
            let Some(member) = self.get_mut(&id) else { continue };
            match result {
                Ok(made) => {
                    let options = ComponentOptions {
                        id: Some(id.as_str().into()),
                        task: made.options.clone(),
                    };
                    builder = builder.with_task(member.role, options, made.task.clone());
                    member.build = Some(made);
                }
                Err(error) if strictness == Strictness::Each => tracing::error!("{error}"),
                Err(error) => return Err(error),
            }
        }
        let engine = match builder.build() {
            Ok(engine) => Arc::new(engine),
            Err(error) if strictness == Strictness::Each => {
                self.members.iter_mut().for_each(|member| member.build = None);
                tracing::error!(%error, "the pipeline can't be started yet");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        if self.may_wait {
            engine.scheduler().core().keep_places();
        }
        self.members.iter_mut().for_each(|it| it.is_registered = it.build.is_some());
        tracing::info!(components = self.members.len(), "starting the pipeline");
        Ok(Some(Arc::clone(self.engine.insert(engine))))
    }

    /// Notes the results of starting components beside running ones.
    pub(crate) fn note_started(&mut self, started: Vec<StartResult>) {
        for StartResult { id, result } in started {
            let Some(member) = self.get_mut(&id) else { continue };
            match result {
                Ok(made) => {
                    tracing::info!(component = member.id, plugin = member.plugin, "starts");
                    member.build = Some(made);
                    member.is_registered = true;
                }
                Err(error) => tracing::error!("{error}"),
            }
        }
    }

    /// Notes that the plugin of these members is missing.
    pub(crate) fn unresolve(&mut self, which: impl Fn(&Member) -> bool) {
        self.members.iter_mut().filter(|it| which(it)).for_each(|it| it.resolved = None);
    }

    /// Returns what it takes to remove these members from the engine.
    pub(crate) fn removals(&self, which: impl Fn(&Member) -> bool) -> Vec<ComponentRemoval> {
        let removal = |member: &Member| {
            let (id, cancel) = (member.id.clone(), member.cancel.clone());
            let ended = self.state(member) == MemberState::Ended;
            let (build, slot) = (member.build.clone()?, member.slot.clone());
            Some(ComponentRemoval { id, build, slot, cancel, ended })
        };
        self.members.iter().filter(|it| which(it)).filter_map(removal).collect()
    }

    /// Notes that these members were removed from the engine. The descriptors that were kept for
    /// them are closed.
    pub(crate) fn note_removed(&mut self, removed: &[RemovedComponent], services: &Services) {
        let cancel = self.cancel.clone();
        for RemovedComponent { id, ended } in removed {
            services.descriptors.forget(id);
            let Some(member) = self.get_mut(id) else { continue };
            // A component that ended by itself stays ended, whatever happens to its plugin.
            if !ended {
                member.build = None;
                member.cancel = cancel.child_token();
            }
        }
    }
}

fn request(
    member: &mut Member,
    generations: &BTreeMap<String, Arc<Generation>>,
) -> Option<StartRequest> {
    let resolved: &ResolvedComponent = member.resolved.as_ref()?;
    let generation = Arc::clone(generations.get(&member.plugin)?);
    let setup = member.setup(resolved);
    member.may_start = false;
    Some(StartRequest {
        role: member.role,
        plugin: member.plugin.clone(),
        setup,
        generation,
        before: member.build.clone(),
        is_registered: member.is_registered,
    })
}

/// Makes components, without starting them.
pub(crate) async fn make_all(
    requests: Vec<StartRequest>,
    services: &Services,
    limit: Option<Duration>,
) -> Vec<StartResult> {
    let mut started = Vec::new();
    for request in requests {
        let id = request.setup.slot.id().to_owned();
        started.push(StartResult { id, result: make(&request, services, limit).await });
    }
    started
}

/// Makes components and starts them beside running ones.
pub(crate) async fn start_more(
    requests: Vec<StartRequest>,
    engine: &PluginEngine,
    services: &Services,
    limit: Duration,
) -> Vec<StartResult> {
    let mut started = Vec::new();
    for request in requests {
        let id = request.setup.slot.id().to_owned();
        let result = start_one(&request, engine, services, limit).await;
        started.push(StartResult { id, result });
    }
    started
}

async fn start_one(
    request: &StartRequest,
    engine: &PluginEngine,
    services: &Services,
    limit: Duration,
) -> Result<ComponentBuild, HostError> {
    let core = engine.scheduler().core();
    let made = make(request, services, Some(limit)).await?;
    let (id, task, options) = (request.setup.id(), made.task.clone(), made.options.clone());
    if let Some(old) = &request.before
        && core.take_hook(&id)
        && let Some(runtime) = &old.options.runtime
    {
        call_hook(&old.task, runtime).await;
    }
    request.setup.slot.end_handover();
    let begun = match request.is_registered {
        true => core.begin_again(&id, task, options),
        false => engine.add(request.role, id, task, options),
    };
    begun.map(|()| made).map_err(|error| named(request, &error))
}

async fn make(
    request: &StartRequest,
    services: &Services,
    limit: Option<Duration>,
) -> Result<ComponentBuild, HostError> {
    let making = request.setup.make(&request.generation, services);
    let made = match limit {
        None => making.await,
        Some(limit) => timeout(limit, making).await.unwrap_or_else(|_| {
            let text = format!("not made within {}", humantime::format_duration(limit));
            Err(SchedulerError::TaskInitialization(text))
        }),
    };
    let made = made.map_err(|error| named(request, &error))?;
    let turns = matches!(request.role, Role::Connector | Role::Aggregator);
    if turns != (made.task.kind() == DriverKind::Background) {
        // The role in the manifest was checked, but the plugin made a component of another kind.
        let error = SchedulerError::InvalidState(
            "the component is not of the role that the manifest declares".to_owned(),
        );
        return Err(named(request, &error));
    }
    Ok(made)
}

fn named(request: &StartRequest, error: &SchedulerError) -> HostError {
    let message = format!("{} (plugin {}): {error}", request.setup.slot.id(), request.plugin);
    HostError::Engine(TradingEngineError::SchedulerError(SchedulerError::InvalidState(message)))
}

/// A component that is to be removed from the engine.
pub(crate) struct ComponentRemoval {
    id: String,
    build: ComponentBuild,
    slot: ComponentSlot,
    cancel: CancellationToken,
    ended: bool,
}

/// A component that was removed from the engine.
#[derive(Debug)]
pub(crate) struct RemovedComponent {
    pub(crate) id: String,
    /// The component had ended by itself before.
    pub(crate) ended: bool,
}

/// Removes components from the engine after the events that are queued for them.
///
/// Their queues stay open, so that another build can continue.
pub(crate) async fn take_out(
    removals: Vec<ComponentRemoval>,
    core: &PluginCore,
    drain: Duration,
) -> Vec<RemovedComponent> {
    let mut removed = Vec::new();
    for ComponentRemoval { id, build, slot, cancel, ended } in removals {
        let task = TaskId::from(id.as_str());
        if !ended {
            cancel.cancel();
            if !core.take_out(&task, drain, GRACE).await {
                tracing::warn!(
                    component = id,
                    "a removed component did not stop in time; it is abandoned"
                );
            }
        }
        if let (true, Some(runtime)) = (core.take_hook(&task), &build.options.runtime) {
            call_hook(&build.task, runtime).await;
        }
        if !ended {
            slot.leave_inputs();
            core.vacate(&task);
        }
        removed.push(RemovedComponent { id, ended });
    }
    removed
}
