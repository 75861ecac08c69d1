//! One replacement of a plugin's components, as a transaction.
//!
//! ```text
//! hold all ─ save ─ create, restore, initialize, prepare the new ─ commit ─ go on with the new
//!    └───────────────── anything fails ──────────────────────┘
//!                  shut down the new ─ go on with the old
//! ```
//!
//! Everything that can fail comes before the commit, which puts all builds into their places
//! at once and can't fail. Whatever fails before it undoes everything: a new build that was
//! initialized gets its `shutdown`, and the old ones go on where they were held.
//!
//! Held components keep their places: what comes is queued. Nothing is published twice and
//! nothing is skipped, because a component steps aside between two events or turns, and its
//! successor begins with the state and the queue of that moment.

mod back;
mod calls;
mod held;
mod over;
mod step;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use hotbay_plugin_api::{Batch, ChannelName, SavedState, SchedulerError, TaskId};
use tokio::{runtime::Handle, sync::Mutex};
use tokio_util::sync::CancellationToken;

use hotbay_config::{Reload, StatePolicy};
use hotbay_core::{
    driver::Core,
    scheduler::{RegisteredTask, TaskOptions},
};

use crate::{ComponentSetup, Connections, Generation, Mute, PluginComponent, Seat, Services};

pub use back::change_back;
pub use calls::{call_hook, restore};
pub use over::change_over;
pub use step::{Cause, Failed, Step};

/// The scheduler's core for plugins' components.
pub type PluginCore = Arc<Core<ChannelName, Batch>>;

/// A component of a plugin, as the scheduler drives it.
pub type PluginTask = RegisteredTask<ChannelName, Batch>;

/// How long a component gets for what it should do at once: save its state, shut down.
const PROMPT: Duration = Duration::from_secs(2);

/// How long a turn may go on before it is dropped where it waits.
const GRACE: Duration = Duration::from_millis(100);

/// What is to be made of one component.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What belongs to the component's name and survives its builds.
    pub seat: Seat,
    /// Its name in the plugin.
    pub component: String,
    /// The channels at the component's ports.
    pub connections: Connections,
    /// The component's configuration.
    pub config: serde_json::Value,
    /// Whether a new build takes over the state of the one before.
    pub state: StatePolicy,
    /// Cancelled when it is to stop.
    pub cancel: CancellationToken,
}

/// How long the steps may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For the turn or event under way of an old build.
    pub hold: Duration,
    /// For each of making, restoring and initializing a new build.
    pub initialize: Duration,
    /// What a failure of the new build means afterwards.
    pub after: After,
}

impl Limits {
    /// Returns the limits that the configuration sets.
    pub fn of(reload: &Reload, after: After) -> Self {
        Self { hold: reload.hold, initialize: reload.initialize, after }
    }
}

/// What a failure of a new build means once it is in service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It is held with what it failed on, so that the build before can go on there.
    Probation,
    /// It has failed.
    Service,
}

/// One component that is to change its build.
#[derive(Debug)]
pub struct Swap<'g> {
    /// What is to be made of it.
    pub plan: Plan,
    /// What is in its place now.
    pub old: Seated,
    /// Where the new build is made.
    pub to: &'g (dyn Maker + 'g),
}

/// Makes the new builds of components.
#[async_trait]
pub trait Maker: std::fmt::Debug + Send + Sync {
    /// Returns the runtime on which all code of the builds runs.
    fn runtime(&self) -> &Handle;

    /// Makes one component.
    ///
    /// # Errors
    /// If it can't be made; then nothing of it is left.
    async fn make(&self, plan: &Plan, services: &Services) -> Result<Made, SchedulerError>;
}

#[async_trait]
impl Maker for Generation {
    fn runtime(&self) -> &Handle {
        self.handle()
    }

    async fn make(&self, plan: &Plan, services: &Services) -> Result<Made, SchedulerError> {
        plan.make(self, services).await
    }
}

/// A component that was made and is not yet in its place.
#[derive(Debug)]
pub struct Made {
    /// The component.
    pub task: PluginTask,
    /// How the scheduler is to drive it.
    pub options: TaskOptions<ChannelName>,
    /// Ends what this build says in the report.
    pub voice: Mute,
}

/// One component that changed its build.
#[derive(Debug)]
pub struct Changed {
    /// The component's name.
    pub id: TaskId,
    /// What belongs to the component's name.
    pub seat: Seat,
    /// The state that the new build took over, if there was one.
    pub state: Option<SavedState>,
    /// The build that was there before, to go back to.
    pub old: Seated,
    /// The build that is there now.
    pub new: Seated,
}

/// A component in its place.
#[derive(Debug, Clone)]
pub struct Seated {
    /// The component.
    pub task: PluginTask,
    /// How the scheduler drives it.
    pub options: TaskOptions<ChannelName>,
    /// Ends what this build says in the report.
    pub voice: Mute,
}

impl Plan {
    /// Returns the component's name, as the scheduler has it.
    pub fn id(&self) -> TaskId {
        self.seat.id().into()
    }

    /// Makes the component in this generation.
    ///
    /// # Errors
    /// If the plugin can't make it, or a channel of it was never declared.
    pub async fn make(
        &self,
        generation: &Generation,
        services: &Services,
    ) -> Result<Made, SchedulerError> {
        let setup = ComponentSetup {
            seat: self.seat.clone(),
            config: self.config.clone(),
            connections: self.connections.clone(),
            cancel: self.cancel.clone(),
        };
        let made = generation.create_component(&self.component, setup, services).await?;
        let voice = made.voice();
        let task = match made {
            PluginComponent::Turns(it) => RegisteredTask::Background(Arc::new(Mutex::new(it))),
            PluginComponent::Events(it) => RegisteredTask::Event(Arc::new(Mutex::new(it))),
        };
        Ok(Made { task, options: self.options(generation.handle()), voice })
    }

    /// Returns how the scheduler is to drive the component on this runtime.
    pub fn options(&self, runtime: &Handle) -> TaskOptions<ChannelName> {
        TaskOptions {
            runtime: Some(runtime.clone()),
            outputs: self.connections.outputs.values().flatten().cloned().collect(),
            ports: Some(Arc::new(self.seat.clone())),
        }
    }

    fn failed(&self, step: Step, cause: impl Into<Cause>) -> Failed {
        Failed { component: self.seat.id().to_owned(), step, cause: cause.into() }
    }
}

#[cfg(test)]
mod tests;
