//! The pipeline, which has the components of the configuration and the engine that runs those whose
//! plugins are loaded.
//!
//! Only the actor changes the members, between operations. An operation gets a copy of what it
//! needs, and reports what it made.

mod member;
mod starting;

use std::sync::Arc;

use hotbay_config::{ComponentEntry, Config};
use hotbay_core::{
    engine::TradingEngine,
    scheduler::{ExecutionStatus, ShutdownLimits},
};
use hotbay_plugin_api::{Batch, ChannelName, Role};
use hotbay_runtime::{
    ComponentSetup,
    replacement::{ComponentBuild, PluginCore, ReplacedComponent},
};
use tokio_util::sync::CancellationToken;

use crate::resolved::ResolvedComponent;

pub(crate) use member::{Member, MemberState};
pub(crate) use starting::{
    ComponentRemoval, RemovedComponent, StartResult, Strictness, make_all, start_more, take_out,
};

/// The engine that runs components of plugins.
pub(crate) type PluginEngine = TradingEngine<ChannelName, Batch>;

/// The components of the configuration, and their engine.
pub(crate) struct PluginPipeline {
    /// `None` until at least one component of each role can be made.
    engine: Option<Arc<PluginEngine>>,
    /// The components, in the direction of the data.
    members: Vec<Member>,
    /// Asks the components to stop.
    cancel: CancellationToken,
    /// The source number for the events of the next new component.
    next_source: u32,
    /// Components may be missing, now or later, because the host follows changes.
    may_wait: bool,
}

impl PluginPipeline {
    /// Makes the members for all components of the configuration, without an engine.
    ///
    /// Returns `None` if the configuration has no pipeline.
    pub(crate) fn new(config: &Config, may_wait: bool) -> Option<Self> {
        let entries = config.pipeline.as_ref()?.components();
        let mut pipeline = Self {
            engine: None,
            members: Vec::new(),
            cancel: CancellationToken::new(),
            next_source: 1,
            may_wait,
        };
        for entry in entries {
            let member = pipeline.member(entry);
            pipeline.members.push(member);
        }
        Some(pipeline)
    }

    /// Makes a member, which is not yet among the others.
    fn member(&mut self, entry: &ComponentEntry) -> Member {
        let source = self.next_source;
        self.next_source += 1;
        Member::new(entry, source, self.cancel.child_token())
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.id == id)
    }

    pub(crate) fn core(&self) -> Option<&PluginCore> {
        self.engine.as_ref().map(|engine| engine.scheduler().core())
    }

    pub(crate) fn engine(&self) -> Option<&Arc<PluginEngine>> {
        self.engine.as_ref()
    }

    /// Returns `true` if the engine was not made yet, a component of each role can be made, and
    /// something changed since that was last tried.
    pub(crate) fn can_be_started(&self) -> bool {
        let has = |role| self.members.iter().any(|it| it.role == role && it.resolved.is_some());
        let is_new = self.members.iter().any(|it| it.may_start && it.resolved.is_some());
        self.engine.is_none() && is_new && Role::ALL.into_iter().all(has)
    }

    /// Sets how the components of one plugin are resolved.
    pub(crate) fn resolve(&mut self, components: Vec<ResolvedComponent>) {
        for resolved in components {
            if let Some(member) = self.get_mut(&resolved.id.clone()) {
                member.may_start |=
                    member.resolved.as_ref().is_none_or(|was| resolved.spec.differs(&was.spec));
                member.resolved = Some(resolved);
            }
        }
    }

    /// Notes that another build of a plugin is in service: components that failed may be started
    /// again.
    pub(crate) fn refresh(&mut self, plugin: &str) {
        let members = self.members.iter_mut().filter(|member| member.plugin == plugin);
        members.for_each(|member| member.may_start = true);
    }

    /// Notes that components were replaced by new builds.
    pub(crate) fn note_replaced(&mut self, changed: &[ReplacedComponent]) {
        for one in changed {
            if let Some(member) = self.get_mut(one.id.as_str()) {
                member.build = Some(one.new.clone());
            }
        }
    }

    /// Returns the state of a member.
    pub(crate) fn state(&self, member: &Member) -> MemberState {
        if member.build.is_none() {
            return MemberState::Waits;
        }
        let entry = self.core().and_then(|core| core.entry(&member.id.as_str().into()).ok());
        match entry.map(|entry| entry.status()) {
            None | Some(ExecutionStatus::Waiting) => MemberState::Waits,
            Some(ExecutionStatus::Failed { .. }) => MemberState::Failed,
            Some(
                ExecutionStatus::Finished
                | ExecutionStatus::Stopped
                | ExecutionStatus::Stopping
                | ExecutionStatus::DidNotStop,
            ) => MemberState::Ended,
            Some(_) => MemberState::Runs,
        }
    }

    /// Returns the setups for the running members among these components, with their present
    /// builds, in the direction of the data.
    pub(crate) fn setups(&self, to: &[ResolvedComponent]) -> Vec<(ComponentSetup, ComponentBuild)> {
        let mut setups = Vec::new();
        for member in &self.members {
            let Some(resolved) = to.iter().find(|it| it.id == member.id) else { continue };
            if let (MemberState::Runs, Some(build)) = (self.state(member), &member.build) {
                setups.push((member.setup(resolved), build.clone()));
            }
        }
        setups
    }

    /// Returns the components of one plugin that have ended or failed by themselves.
    pub(crate) fn ended(&self, plugin: &str) -> Vec<(String, ComponentBuild)> {
        let mut ended = Vec::new();
        for member in self.members.iter().filter(|member| member.plugin == plugin) {
            if let (MemberState::Ended | MemberState::Failed, Some(build)) =
                (self.state(member), &member.build)
            {
                ended.push((member.id.clone(), build.clone()));
            }
        }
        ended
    }

    /// Returns the components that keep the engine from being started, as text.
    pub(crate) fn missing(&self, is_there: impl Fn(&str) -> bool) -> String {
        let absent = self.members.iter().filter(|member| !is_there(&member.plugin));
        let absent: Vec<_> = absent.map(|it| format!("{} (plugin {})", it.id, it.plugin)).collect();
        if absent.is_empty() {
            "a component that can't be made".to_owned()
        } else {
            absent.join(", ")
        }
    }

    /// Adapts the members to a configuration: forgets those that it does not name, which were taken
    /// out, adds those that are new, and puts all of them in order.
    ///
    /// Returns the number of members that were forgotten or added.
    pub(crate) fn rearrange(&mut self, config: &Config) -> usize {
        let Some(written) = &config.pipeline else { return 0 };
        let entries: Vec<_> = written.components().collect();
        let before = std::mem::take(&mut self.members);
        let (mut stay, gone): (Vec<_>, Vec<_>) =
            before.into_iter().partition(|it| entries.iter().any(|entry| is_place_of(entry, it)));
        for member in gone.iter().filter(|member| member.is_registered) {
            if let Some(engine) = &self.engine {
                engine.remove(&member.id.as_str().into());
            }
        }
        let mut count = gone.len();
        for entry in entries {
            let member = match stay.iter().position(|member| member.id == entry.id) {
                Some(place) => stay.remove(place),
                None => {
                    count += 1;
                    self.member(entry)
                }
            };
            self.members.push(member);
        }
        count
    }

    /// Stops all components. Returns the problem if there was one.
    pub(crate) async fn stop(&self, config: &Config) -> Option<String> {
        self.cancel.cancel();
        let engine = self.engine.as_ref()?;
        engine.shutdown_within(limits(config)).await.err().map(|error| error.to_string())
    }
}

/// Returns `true` if an entry describes this member, and not another one of the same name.
pub(crate) fn is_place_of(entry: &ComponentEntry, member: &Member) -> bool {
    entry.id == member.id && entry.role == member.role && entry.plugin == member.plugin
}

fn limits(config: &Config) -> ShutdownLimits {
    let drain = config.shutdown.drain;
    ShutdownLimits { drain, total: drain.saturating_mul(2), ..ShutdownLimits::default() }
}
