//! Rolling components back to their previous builds.

use std::time::Duration;

use hotbay_core::driver::HoldError;
use hotbay_plugin_api::SavedState;

use super::{
    Limits, PROMPT, PluginCore, ReplacedComponent, call_hook, calls,
    held_components::HeldComponents, restore, resume,
};

/// Rolls components back to their previous builds.
///
/// `changed` is in the direction of the data. Returns notes about everything that could not be
/// undone, and how long inputs were held.
pub async fn roll_back(
    core: &PluginCore,
    changed: Vec<ReplacedComponent>,
    limits: Limits,
) -> (Vec<String>, Duration) {
    let mut notes = Vec::new();
    let mut held = HeldComponents::new(core);
    let (mut held_back, mut prepared) = (Vec::new(), Vec::new());
    for one in changed {
        match held.hold(one.id.clone(), limits.hold).await {
            Ok(()) => held_back.push(one),
            Err(error) => {
                notes.push(format!("{} stays on the new build: {error}", one.id));
                keep_new(core, &one, error).await;
            }
        }
    }
    let mut states = Vec::new();
    for one in &held_back {
        states.push(state_to_restore(core, one).await);
        core.end_probation(&one.id);
    }
    // All new builds let go of what only one may hold before any old one takes it up.
    for one in held_back.iter().filter(|it| it.is_exclusive()) {
        held.note_suspended(one.id.clone());
        let_go(one).await;
    }
    let mut rolled_back = Vec::new();
    for (one, state) in held_back.into_iter().zip(states) {
        notes.extend(restore_old(&one, state).await);
        let resumed = resume(&one.old, limits).await;
        let old = one.old.clone();
        match core.prepare(&one.id, old.task, old.options) {
            Ok(ready) => {
                prepared.push(ready);
                rolled_back.push((one, resumed));
            }
            Err(error) => notes.push(format!("{} can't be put back: {error}", one.id)),
        }
    }
    let ended = core.commit(prepared);
    for (one, resumed) in rolled_back {
        if ended.contains(&one.id) {
            notes.push(format!("{} has ended on the new build", one.id));
            continue;
        }
        one.new.report_gate.close();
        one.old.report_gate.open();
        if let Some(runtime) = one.new.options.runtime.as_ref().filter(|_| !one.is_exclusive()) {
            call_hook(&one.new.task, runtime).await;
        }
        if let Err(error) = resumed {
            notes.push(format!(
                "{} is back and has failed, for it can't be resumed: {error}",
                one.id
            ));
            held.fail(&one.id, error);
        }
    }
    (notes, held.release())
}

impl ReplacedComponent {
    /// Tells if the two builds must not hold at the same time what they hold.
    fn is_exclusive(&self) -> bool {
        self.old.is_exclusive() || self.new.is_exclusive()
    }
}

/// Has a new build let go of what only one may hold, and shuts it down.
async fn let_go(one: &ReplacedComponent) {
    let Some(runtime) = &one.new.options.runtime else { return };
    one.new.report_gate.close();
    if let Err(error) = calls::suspend(&one.new.task, runtime).await {
        // What it still holds ends with its build; until then the old one may not get it.
        tracing::warn!(component = %one.id, %error, "a build that is rolled back can't be suspended");
    }
    call_hook(&one.new.task, runtime).await;
}

/// Leaves a component that can't be held on its new build.
async fn keep_new(core: &PluginCore, one: &ReplacedComponent, error: HoldError) {
    one.slot.stop_keeping();
    core.confirm(&one.id);
    // The component ended by itself, and its build is about to be closed.
    if let (HoldError::NotRunning(_), Some(runtime)) = (error, &one.new.options.runtime)
        && core.take_hook(&one.id)
    {
        call_hook(&one.new.task, runtime).await;
    }
}

/// Restores the state with which the previous build is to continue.
///
/// Returns a note if that failed: the build continues with the state that it had when it was
/// replaced.
async fn restore_old(one: &ReplacedComponent, state: Option<SavedState>) -> Option<String> {
    // A new build that began without a state knows less than the old one.
    let state = state.filter(|_| one.state.is_some())?;
    let runtime = one.old.options.runtime.as_ref()?;
    let restored = restore(&one.old.task, runtime, state, PROMPT).await;
    let error = restored.err()?;
    Some(format!("{} goes on with the state from before: {error}", one.id))
}

/// Returns the state with which the previous build is to continue.
///
/// Events that came after that state are delivered again.
async fn state_to_restore(core: &PluginCore, one: &ReplacedComponent) -> Option<SavedState> {
    let checkpoint = core.take_checkpoint(&one.id);
    // A component that did not fail is held between two turns, as in any other replacement.
    if core.fault(&one.id).is_none()
        && let Some(runtime) = &one.new.options.runtime
        && let Ok(state) = calls::save(&one.new.task, runtime, PROMPT).await
    {
        one.slot.stop_keeping();
        return state.or(checkpoint);
    }
    one.slot.give_back();
    checkpoint
}
