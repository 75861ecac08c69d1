//! One replacement of a plugin's components, as a transaction.
//!
//! ```text
//! hold all, in the direction of the data ─ save ─ make, restore, initialize the new ─┬─ go on with the new
//!                                          └──────────── anything fails ─────────────┴─ go on with the old
//! ```
//!
//! Held components keep their places: what comes is queued. Nothing is published twice and
//! nothing is skipped, because a component steps aside between two events or turns, and its
//! successor begins with the state and the queue of that moment.

mod calls;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hotbay_plugin_api::{Batch, ChannelName, SavedState, SchedulerError, TaskId};
use tokio::{runtime::Handle, sync::Mutex};
use tokio_util::sync::CancellationToken;

use hotbay_config::{Reload, StatePolicy};
use hotbay_core::{
    bus::WaitsFor,
    scheduler::{Core, HoldError, RegisteredTask, TaskOptions, Turns},
};

use crate::{ComponentSetup, Connections, Generation, Mute, PluginComponent, Seat, Services};

pub use calls::{call_hook, restore};

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
    pub seat: Seat,
    /// Its name in the plugin.
    pub component: String,
    pub connections: Connections,
    pub config: serde_json::Value,
    pub state: StatePolicy,
    /// Cancelled when it is to stop.
    pub cancel: CancellationToken,
}

/// How long the steps may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub hold: Duration,
    pub initialize: Duration,
    pub after: After,
}

impl Limits {
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
pub struct Step<'g> {
    pub plan: Plan,
    /// What is in its place now.
    pub old: Seated,
    /// Where the new build is made.
    pub to: &'g Generation,
}

/// A component made and not yet seated.
pub struct Made {
    pub task: PluginTask,
    pub options: TaskOptions<ChannelName>,
    pub voice: Mute,
}

/// One component that changed its build.
pub struct Changed {
    pub id: TaskId,
    pub seat: Seat,
    pub state: Option<SavedState>,
    /// What was there before, to go back to.
    pub old: Seated,
    pub new: Seated,
}

/// A component in its place.
#[derive(Clone)]
pub struct Seated {
    pub task: PluginTask,
    pub options: TaskOptions<ChannelName>,
    pub voice: Mute,
}

/// Why the old build goes on.
#[derive(Debug, thiserror::Error)]
#[error("{component}: {step} failed: {error}")]
pub struct Failed {
    pub component: String,
    pub step: &'static str,
    #[source]
    pub error: SchedulerError,
}

impl Plan {
    pub fn id(&self) -> TaskId {
        self.seat.id().into()
    }

    /// Makes the component in this generation.
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

    /// How the scheduler is to drive it.
    pub fn options(&self, runtime: &Handle) -> TaskOptions<ChannelName> {
        TaskOptions {
            runtime: Some(runtime.clone()),
            outputs: self.connections.outputs.values().flatten().cloned().collect(),
            turns: Some(Arc::new(self.seat.clone())),
        }
    }

    fn failed(&self, step: &'static str, error: SchedulerError) -> Failed {
        Failed { component: self.seat.id().to_owned(), step, error }
    }
}

impl Turns for Seat {
    fn waits_for(&self) -> WaitsFor {
        self.waits_for()
    }

    fn turned(&self) {
        self.settle();
    }
}

/// Puts new builds of running components in their places; all of them or none.
///
/// The steps are in the direction of the data. Gives what changed, and how long inputs
/// were held. A component that has ended is left out.
pub async fn change_over(
    core: &PluginCore,
    steps: &[Step<'_>],
    services: &Services,
    limits: Limits,
) -> (Result<Vec<Changed>, Failed>, Duration) {
    let mut held = Held { core, ids: Vec::new(), since: None };
    let mut taking_part = Vec::new();
    for step in steps {
        match core.hold(&step.plan.id(), GRACE, limits.hold).await {
            Ok(()) => {
                held.add(step.plan.id());
                taking_part.push(step);
            }
            // It ended by itself: there is nothing to hand over.
            Err(HoldError::NotRunning(_)) => {}
            Err(error) => {
                let error = SchedulerError::InvalidState(error.to_string());
                return (Err(step.plan.failed("hold", error)), held.release());
            }
        }
    }
    let mut made = Vec::new();
    for step in &taking_part {
        match successor(step, services, limits).await {
            Ok((new, state)) => made.push((*step, new, state)),
            Err(failed) => {
                end(&made).await;
                return (Err(failed), held.release());
            }
        }
    }
    let mut changed: Vec<Changed> = Vec::new();
    for (step, new, state) in made {
        let id = step.plan.id();
        let Made { task, options, voice } = new;
        if let Err(error) = core.reseat(&id, task.clone(), options.clone()) {
            let failed = step.plan.failed("seat", error);
            put_back(core, changed);
            return (Err(failed), held.release());
        }
        if limits.after == After::Probation {
            core.set_probation(&id, true);
            step.plan.seat.keep_received();
        }
        let (new, seat) = (Seated { task, options, voice }, step.plan.seat.clone());
        changed.push(Changed { id, seat, state, old: step.old.clone(), new });
    }
    for changed in changed.iter().filter(|changed| changed.state.is_some()) {
        changed.old.voice.mute();
    }
    (Ok(changed), held.release())
}

/// Undoes what was done while all are held still.
fn put_back(core: &PluginCore, changed: Vec<Changed>) {
    for Changed { id, seat, old, .. } in changed {
        core.set_probation(&id, false);
        seat.stop_keeping();
        if let Err(error) = core.reseat(&id, old.task, old.options) {
            tracing::error!(component = %id, %error, "cannot be put back");
        }
    }
}

/// The new build of a held component, initialized with the state of the old one.
async fn successor(
    step: &Step<'_>,
    services: &Services,
    limits: Limits,
) -> Result<(Made, Option<SavedState>), Failed> {
    let Step { plan, old, to } = step;
    let runtime = old.options.runtime.clone().unwrap_or_else(|| to.handle().clone());
    let state = match plan.state {
        StatePolicy::Discard => None,
        StatePolicy::Keep => calls::save(&old.task, &runtime, PROMPT)
            .await
            .map_err(|error| plan.failed("save_state", error))?,
    };
    plan.seat.begin_handover();
    let made = async {
        let made = plan.make(to, services);
        let made = calls::within(limits.initialize, made)
            .await
            .map_err(|error| plan.failed("create", error))?;
        if let Some(state) = &state {
            restore(&made.task, to.handle(), state.clone(), limits.initialize)
                .await
                .map_err(|error| plan.failed("restore", error))?;
        }
        calls::initialize(&made.task, to.handle(), limits.initialize)
            .await
            .map_err(|error| plan.failed("initialize", error))?;
        Ok(made)
    };
    let made = made.await;
    plan.seat.end_handover();
    Ok((made?, state))
}

/// Ends builds that did not come into service. They say nothing in the report.
async fn end(made: &[(&Step<'_>, Made, Option<SavedState>)]) {
    for (step, made, _) in made {
        made.voice.mute();
        call_hook(&made.task, step.to.handle(), PROMPT).await;
    }
}

/// Components that are held. They go on when they are released, whatever happens.
struct Held<'a> {
    core: &'a PluginCore,
    ids: Vec<TaskId>,
    since: Option<Instant>,
}

impl Held<'_> {
    fn add(&mut self, id: TaskId) {
        self.since.get_or_insert_with(Instant::now);
        self.ids.push(id);
    }

    /// Against the direction of the data, so that who gets events is there before who
    /// gives them. Gives how long the first of them was held.
    fn release(mut self) -> Duration {
        self.let_go();
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn let_go(&mut self) {
        for id in self.ids.drain(..).rev() {
            if let Err(error) = self.core.release(&id) {
                tracing::error!(component = %id, %error, "does not go on");
            }
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// The state that the build before goes on with; what came after it comes again.
async fn state_to_go_back_to(core: &PluginCore, one: &Changed) -> Option<SavedState> {
    let checkpoint = core.take_checkpoint(&one.id);
    // One that did not fail stands between two turns: it is like any other handover.
    if core.fault(&one.id).is_none()
        && let Some(runtime) = &one.new.options.runtime
        && let Ok(state) = calls::save(&one.new.task, runtime, PROMPT).await
    {
        one.seat.stop_keeping();
        return state.or(checkpoint);
    }
    one.seat.give_back();
    checkpoint
}

/// Goes back to the builds before; `changed` are in the direction of the data. Gives what
/// was said about states that could not be taken back.
pub async fn change_back(
    core: &PluginCore,
    changed: Vec<Changed>,
    limits: Limits,
) -> (Vec<String>, Duration) {
    let mut notes = Vec::new();
    let mut held = Held { core, ids: Vec::new(), since: None };
    let mut taking_part = Vec::new();
    for one in changed {
        match core.hold(&one.id, GRACE, limits.hold).await {
            Ok(()) => {
                held.add(one.id.clone());
                taking_part.push(one);
            }
            Err(error) => {
                notes.push(format!("{} stays on the new build: {error}", one.id));
                one.seat.stop_keeping();
                core.confirm(&one.id);
                // It ended by itself, and its build goes.
                if let (HoldError::NotRunning(_), Some(runtime)) = (error, &one.new.options.runtime)
                    && core.take_hook(&one.id)
                {
                    call_hook(&one.new.task, runtime, PROMPT).await;
                }
            }
        }
    }
    for one in &taking_part {
        let checkpoint = state_to_go_back_to(core, one).await;
        core.set_probation(&one.id, false);
        // A new build that began from the start knows less than the old one.
        let checkpoint = checkpoint.filter(|_| one.state.is_some());
        if let (Some(state), Some(runtime)) = (checkpoint, &one.old.options.runtime)
            && let Err(error) = restore(&one.old.task, runtime, state, PROMPT).await
        {
            notes.push(format!("{} goes on with the state from before: {error}", one.id));
        }
        let old = one.old.clone();
        match core.reseat(&one.id, old.task, old.options) {
            Ok(failed) => {
                one.new.voice.mute();
                one.old.voice.unmute();
                if let Some(runtime) = &one.new.options.runtime {
                    call_hook(&failed, runtime, PROMPT).await;
                }
            }
            Err(error) => notes.push(format!("{} can't be put back: {error}", one.id)),
        }
    }
    (notes, held.release())
}
