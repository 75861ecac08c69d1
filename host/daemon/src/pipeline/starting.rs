//! Making components and starting them.

use std::time::Duration;

use hotbay_plugin_api::{Role, SchedulerError, TradingEngineError};

use super::{Member, Pipeline, Stand, limits};
use crate::{HostError, plugins::Plugins, wiring::Wired};
use hotbay_config::Config;
use hotbay_core::{
    engine::{ComponentOptions, TradingEngineBuilder},
    scheduler::TaskKind,
};
use hotbay_runtime::{
    Services,
    change::{Made, Seated, call_hook},
};

/// What becomes of the others if a component does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// None of them starts.
    All,
    /// They start.
    Each,
}

/// How long a component that is taken out may take to let go.
const GRACE: Duration = Duration::from_millis(250);

/// How long a component gets to shut down.
const HOOK: Duration = Duration::from_secs(2);

impl Pipeline {
    /// Makes and starts every component that can be and does not run: the whole engine,
    /// if it was not started yet and at least one component of each role is there.
    pub(crate) async fn start(
        &mut self,
        config: &Config,
        plugins: &Plugins,
        services: &Services,
        strictness: Strictness,
    ) -> Result<(), HostError> {
        if self.engine.is_some() {
            return self.start_more(plugins, services, strictness).await;
        }
        let there = |role| self.members.iter().any(|it| it.role == role && it.wired.is_some());
        let all = [Role::Connector, Role::Aggregator, Role::Strategy, Role::Executor];
        if !all.into_iter().all(there) {
            return Ok(());
        }
        let mut builder = TradingEngineBuilder::new(services.bus.clone());
        builder = builder.with_limits(limits(config));
        for member in &mut self.members {
            let Some(wired) = &member.wired else { continue };
            member.fresh = false;
            let made = match make(member, wired, plugins, services).await {
                Ok(made) => made,
                Err(error) if strictness == Strictness::Each => {
                    tracing::error!("{error}");
                    continue;
                }
                Err(error) => return Err(error),
            };
            builder = builder.with_task(member.role, options(member, &made), made.task.clone());
            member.seated = Some(seated(made));
        }
        let engine = match builder.build() {
            Ok(engine) => engine,
            Err(error) if strictness == Strictness::Each => {
                self.members.iter_mut().for_each(|member| member.seated = None);
                tracing::error!(%error, "the pipeline can't be started yet");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let core = engine.scheduler().core();
        if self.may_wait {
            core.keep_places();
        }
        self.members.iter_mut().for_each(|it| it.known = it.seated.is_some());
        tracing::info!(components = self.members.len(), "starting the pipeline");
        let engine = self.engine.insert(engine);
        match strictness {
            Strictness::All => engine.start().await?,
            Strictness::Each => engine.start_those_that_can(config.reload.initialize).await?,
        }
        Ok(())
    }

    /// Starts what is there and does not run, beside the components that do.
    async fn start_more(
        &mut self,
        plugins: &Plugins,
        services: &Services,
        strictness: Strictness,
    ) -> Result<(), HostError> {
        let Some(engine) = &self.engine else { return Ok(()) };
        let core = engine.scheduler().core();
        let due = |it: &Member| it.fresh && matches!(self.stand(it), Stand::Waits | Stand::Failed);
        let due: Vec<_> = self.members.iter().map(due).collect();
        // Against the direction of the data: who takes events is there before who gives them.
        for (member, _) in self.members.iter_mut().zip(due).rev().filter(|(_, due)| *due) {
            let Some(wired) = &member.wired else { continue };
            member.fresh = false;
            let started = match make(member, wired, plugins, services).await {
                Ok(made) => {
                    let id = member.id.as_str().into();
                    let (task, options) = (made.task.clone(), options(member, &made));
                    if let Some(old) = &member.seated
                        && core.take_hook(&id)
                        && let Some(runtime) = &old.options.runtime
                    {
                        call_hook(&old.task, runtime, HOOK).await;
                    }
                    let begun = match member.known {
                        true => core.begin_again(&id, task, options.into()),
                        false => engine.add(member.role, task, options),
                    };
                    begun.map_err(|error| named(member, &error)).map(|()| made)
                }
                Err(error) => Err(error),
            };
            match started {
                Ok(made) => {
                    tracing::info!(component = member.id, plugin = member.plugin, "starts");
                    member.seated = Some(seated(made));
                    member.known = true;
                }
                Err(error) if strictness == Strictness::Each => tracing::error!("{error}"),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes components out after what is queued for them. Their places stay.
    pub(crate) async fn take_out(&mut self, which: impl Fn(&Member) -> bool, drain: Duration) {
        let Some(engine) = &self.engine else {
            self.members.iter_mut().filter(|it| which(it)).for_each(|it| it.wired = None);
            return;
        };
        let core = engine.scheduler().core();
        let ended = self.members.iter().map(|it| self.stand(it) == Stand::Ended);
        let ended: Vec<_> = ended.collect();
        for (member, ended) in self.members.iter_mut().zip(ended).filter(|(it, _)| which(it)) {
            member.wired = None;
            let Some(seated) = member.seated.clone() else { continue };
            let id = member.id.as_str().into();
            if !ended {
                member.cancel.cancel();
                if !core.take_out(&id, drain, GRACE).await {
                    tracing::warn!(component = member.id, "does not let go; it is given up");
                }
            }
            if let (true, Some(runtime)) = (core.take_hook(&id), &seated.options.runtime) {
                call_hook(&seated.task, runtime, HOOK).await;
            }
            // What ended by itself has ended, whatever becomes of its plugin.
            if !ended {
                core.vacate(&id);
                member.seated = None;
                member.cancel = self.cancel.child_token();
            }
        }
    }

    /// Forgets components that were taken out.
    pub(crate) fn forget(&mut self, which: impl Fn(&Member) -> bool) {
        let (gone, stay) = std::mem::take(&mut self.members).into_iter().partition(which);
        self.members = stay;
        let gone: Vec<Member> = gone;
        for member in gone.iter().filter(|member| member.known) {
            if let Some(engine) = &self.engine {
                engine.remove(&member.id.as_str().into());
            }
        }
    }
}

async fn make(
    member: &Member,
    wired: &Wired,
    plugins: &Plugins,
    services: &Services,
) -> Result<Made, HostError> {
    let missing = || SchedulerError::InvalidState("its plugin is not loaded".to_owned());
    let plugin = plugins.get(&wired.plugin).ok_or_else(|| named(member, &missing()))?;
    let made = member.plan(wired).make(plugin, services).await;
    let made = made.map_err(|error| named(member, &error))?;
    let turns = matches!(member.role, Role::Connector | Role::Aggregator);
    if turns != (made.task.kind() == TaskKind::Background) {
        // The manifest's role was checked; a plugin that makes something else lies.
        let error = SchedulerError::InvalidState("not of the role it declares".to_owned());
        return Err(named(member, &error));
    }
    Ok(made)
}

fn options(member: &Member, made: &Made) -> ComponentOptions<hotbay_plugin_api::ChannelName> {
    ComponentOptions::of(member.id.as_str(), made.options.clone())
}

fn seated(made: Made) -> Seated {
    let Made { task, options, voice } = made;
    Seated { task, options, voice }
}

fn named(member: &Member, error: &SchedulerError) -> HostError {
    let message = format!("{} (plugin {}): {error}", member.id, member.plugin);
    HostError::Engine(TradingEngineError::SchedulerError(SchedulerError::InvalidState(message)))
}
