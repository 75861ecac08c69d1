//! The components of the configuration, and the engine that runs those whose plugins are
//! there.

mod member;
mod starting;

use hotbay_plugin_api::{Batch, ChannelName};
use tokio_util::sync::CancellationToken;

use super::wiring::Wired;
use hotbay_config::{ComponentEntry, Config};
use hotbay_core::{
    engine::TradingEngine,
    scheduler::{ExecutionStatus, ShutdownLimits},
};
use hotbay_runtime::change::{Plan, PluginCore, Seated};

pub(super) use member::{Member, Stand};
pub(super) use starting::Strictness;

/// The pipeline of the configuration.
pub(super) struct Pipeline {
    /// `None` until at least one component of each role can be made.
    engine: Option<TradingEngine<ChannelName, Batch>>,
    /// In the direction of the data.
    members: Vec<Member>,
    /// Asks the components to stop.
    cancel: CancellationToken,
    /// The number of the next component's events.
    next_source: u32,
    /// Whether components may be missing, now or later.
    may_wait: bool,
}

impl Pipeline {
    /// Places for all components of the configuration.
    pub(super) fn new(config: &Config, may_wait: bool) -> Option<Self> {
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

    /// A new member; it is not yet among the others.
    pub(super) fn member(&mut self, entry: &ComponentEntry) -> Member {
        let source = self.next_source;
        self.next_source += 1;
        Member::new(entry, source, self.cancel.child_token())
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(super) fn members_mut(&mut self) -> &mut Vec<Member> {
        &mut self.members
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.id == id)
    }

    pub(super) fn core(&self) -> Option<&PluginCore> {
        self.engine.as_ref().map(|engine| engine.scheduler().core())
    }

    pub(super) fn engine(&self) -> Option<&TradingEngine<ChannelName, Batch>> {
        self.engine.as_ref()
    }

    /// Notes what the components of one plugin come to.
    pub(super) fn wire(&mut self, wired: Vec<Wired>) {
        for wired in wired {
            if let Some(member) = self.get_mut(&wired.id.clone()) {
                member.fresh |= member.wired.as_ref().is_none_or(|was| wired.differs(was));
                member.wired = Some(wired);
            }
        }
    }

    /// Another build of this plugin is there: what failed may be tried again.
    pub(super) fn refresh(&mut self, plugin: &str) {
        let members = self.members.iter_mut().filter(|member| member.plugin == plugin);
        members.for_each(|member| member.fresh = true);
    }

    /// What a member does.
    pub(super) fn stand(&self, member: &Member) -> Stand {
        if member.seated.is_none() {
            return Stand::Waits;
        }
        let entry = self.core().and_then(|core| core.entry(&member.id.as_str().into()).ok());
        match entry.map(|entry| entry.status()) {
            None | Some(ExecutionStatus::Waiting) => Stand::Waits,
            Some(ExecutionStatus::Failed { .. }) => Stand::Failed,
            Some(
                ExecutionStatus::Finished
                | ExecutionStatus::Stopped
                | ExecutionStatus::Stopping
                | ExecutionStatus::DidNotStop,
            ) => Stand::Ended,
            Some(_) => Stand::Runs,
        }
    }

    /// The members that run and are to be changed, with what they are to be, in the
    /// direction of the data.
    pub(super) fn plans(&self, to: &[Wired]) -> Vec<(Plan, Seated)> {
        let mut plans = Vec::new();
        for member in &self.members {
            let Some(wired) = to.iter().find(|wired| wired.id == member.id) else { continue };
            if let (Stand::Runs, Some(seated)) = (self.stand(member), &member.seated) {
                plans.push((member.plan(wired), seated.clone()));
            }
        }
        plans
    }

    /// What keeps the engine from being started.
    pub(super) fn missing(&self, is_there: impl Fn(&str) -> bool) -> String {
        let absent = self.members.iter().filter(|member| !is_there(&member.plugin));
        let absent: Vec<_> = absent.map(|it| format!("{} (plugin {})", it.id, it.plugin)).collect();
        if absent.is_empty() {
            "a component that can't be made".to_owned()
        } else {
            absent.join(", ")
        }
    }

    /// Waits until all components have ended by themselves.
    pub(super) async fn wait(&self) {
        match &self.engine {
            Some(engine) => engine.wait().await,
            None => std::future::pending().await,
        }
    }

    /// Stops all components; gives what went wrong.
    pub(super) async fn stop(&self, config: &Config) -> Option<String> {
        self.cancel.cancel();
        let engine = self.engine.as_ref()?;
        engine.shutdown_within(limits(config)).await.err().map(|error| error.to_string())
    }
}

fn limits(config: &Config) -> ShutdownLimits {
    let drain = config.shutdown.drain;
    ShutdownLimits { drain, total: drain * 2, ..ShutdownLimits::default() }
}
