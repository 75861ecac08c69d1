//! The replacement of a plugin's components by those of another build, as a transaction.
//!
//! ```text
//! hold all ─ save ─ suspend ─ create, restore, initialize, prepare the new ─ commit ─ release the new
//!    └────────────────────── anything fails ───────────────────────┘
//!                  shut down the new ─ resume the old ─ release the old
//! ```
//!
//! Only builds whose [`Handover`] is exclusive are suspended and resumed. They stay suspended
//! while the new build is on probation.
//!
//! Everything that can fail comes before the commit, which puts all new builds into service at
//! once and can't fail. A failure before the commit undoes everything: a new build that was
//! initialized gets its `shutdown`, and the old builds continue where they were held.
//!
//! Events for a held component are queued. None is handled twice and none is skipped, because a
//! component is held between two events or turns, and its new build begins with the state and the
//! queue of that moment.

mod calls;
mod held_components;
mod replace;
mod roll_back;
mod step;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use hotbay_plugin_api::{Batch, ChannelName, Handover, SavedState, SchedulerError, TaskId};
use tokio::{runtime::Handle, sync::Mutex};

use hotbay_config::Reload;
use hotbay_core::{
    driver::Core,
    scheduler::{RegisteredTask, TaskOptions},
};

use crate::{ComponentSetup, ComponentSlot, Generation, PluginComponent, ReportGate, Services};

pub use calls::{call_hook, restore};
pub use replace::replace;
pub use roll_back::roll_back;
pub use step::{Cause, ReplaceError, ReplaceStep};

/// The core of the scheduler that drives components of plugins.
pub type PluginCore = Arc<Core<ChannelName, Batch>>;

/// A component of a plugin, as the scheduler drives it.
pub type ComponentTask = RegisteredTask<ChannelName, Batch>;

/// The time limit for calls that should return at once: saving the state, shutting down.
const PROMPT: Duration = Duration::from_secs(2);

/// The time that a turn gets to end before it is dropped at the point where it waits.
const GRACE: Duration = Duration::from_millis(100);

/// The time limits of a replacement, and what follows it.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The time that the turn or event under way of an old build gets to end.
    pub hold: Duration,
    /// The time that each of making, restoring and initializing a new build may take.
    pub initialize: Duration,
    /// What happens if a new build fails once it is in service.
    pub on_failure: OnFailure,
}

impl Limits {
    /// Returns the limits that the configuration sets.
    pub fn of(reload: &Reload, on_failure: OnFailure) -> Self {
        Self { hold: reload.hold, initialize: reload.initialize, on_failure }
    }
}

/// What happens if a new build fails once it is in service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The component is held together with the event on which it failed, so that the previous
    /// build can continue there: the new build is on probation.
    Hold,
    /// The component fails, and is not held for the previous build.
    Fail,
}

/// One component whose build is to be replaced.
#[derive(Debug)]
pub struct Swap<'g> {
    /// Describes how the new build is to be made.
    pub setup: ComponentSetup,
    /// The build in service, which is to be replaced.
    pub old: ComponentBuild,
    /// The factory that makes the new build.
    pub to: &'g (dyn ComponentFactory + 'g),
}

/// Makes the new builds of components.
///
/// A [`Generation`] is one; tests have others.
#[async_trait]
pub trait ComponentFactory: std::fmt::Debug + Send + Sync {
    /// Returns the runtime on which all code of the builds runs.
    fn runtime(&self) -> &Handle;

    /// Makes one component.
    ///
    /// # Errors
    /// If the component can't be made. Nothing of it is left then.
    async fn make(
        &self,
        setup: &ComponentSetup,
        services: &Services,
    ) -> Result<ComponentBuild, SchedulerError>;
}

#[async_trait]
impl ComponentFactory for Generation {
    fn runtime(&self) -> &Handle {
        self.handle()
    }

    async fn make(
        &self,
        setup: &ComponentSetup,
        services: &Services,
    ) -> Result<ComponentBuild, SchedulerError> {
        setup.make(self, services).await
    }
}

/// One build of a component, and how the scheduler drives it.
#[derive(Debug, Clone)]
pub struct ComponentBuild {
    /// The component's code.
    pub task: ComponentTask,
    /// How the scheduler is to drive the component.
    pub options: TaskOptions<ChannelName>,
    /// The gate through which this build publishes and reports.
    pub report_gate: ReportGate,
    /// How this build gives way to the next one.
    pub handover: Handover,
}

impl ComponentBuild {
    fn is_exclusive(&self) -> bool {
        self.handover == Handover::Exclusive
    }

    /// Returns the runtime on which the code of this build runs.
    fn runtime_or<'a>(&'a self, next: &'a (dyn ComponentFactory + 'a)) -> &'a Handle {
        self.options.runtime.as_ref().unwrap_or_else(|| next.runtime())
    }
}

/// Has a build that was suspended, if it was, take up again what it let go of.
async fn resume(build: &ComponentBuild, limits: Limits) -> Result<(), SchedulerError> {
    match &build.options.runtime {
        Some(runtime) if build.is_exclusive() => {
            calls::resume(&build.task, runtime, limits.initialize).await
        }
        Some(_) | None => Ok(()),
    }
}

/// One component whose build was replaced.
#[derive(Debug)]
pub struct ReplacedComponent {
    /// The component's name.
    pub id: TaskId,
    /// The slot of the component.
    pub slot: ComponentSlot,
    /// The state that the new build took over, if there was one.
    pub state: Option<SavedState>,
    /// The previous build, for a roll-back.
    pub old: ComponentBuild,
    /// The build that is in service now.
    pub new: ComponentBuild,
}

impl ComponentSetup {
    /// Returns the id under which the scheduler drives the component.
    pub fn id(&self) -> TaskId {
        self.slot.id().into()
    }

    /// Makes the component in this generation.
    ///
    /// # Errors
    /// If the plugin can't make the component, or one of its channels was never declared.
    pub async fn make(
        &self,
        generation: &Generation,
        services: &Services,
    ) -> Result<ComponentBuild, SchedulerError> {
        let made = generation.create_component(self.clone(), services).await?;
        let report_gate = made.report_gate();
        let task = match made {
            PluginComponent::Background(it) => RegisteredTask::Background(Arc::new(Mutex::new(it))),
            PluginComponent::Event(it) => RegisteredTask::Event(Arc::new(Mutex::new(it))),
        };
        let mut exported = generation.info().manifest.components.iter();
        let exported = exported.find(|it| it.name == self.spec.name);
        let handover = exported.map(|it| it.handover).unwrap_or_default();
        let options = self.options(generation.handle());
        Ok(ComponentBuild { task, options, report_gate, handover })
    }

    /// Returns how the scheduler is to drive the component on this runtime.
    pub fn options(&self, runtime: &Handle) -> TaskOptions<ChannelName> {
        TaskOptions {
            runtime: Some(runtime.clone()),
            outputs: self.spec.connections.outputs.values().flatten().cloned().collect(),
            ports: Some(Arc::new(self.slot.clone())),
        }
    }

    fn failed(&self, step: ReplaceStep, cause: impl Into<Cause>) -> ReplaceError {
        ReplaceError { component: self.slot.id().to_owned(), step, cause: cause.into() }
    }
}

#[cfg(test)]
mod tests;
