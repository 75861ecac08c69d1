//! Rolling components back to their previous builds.

use std::time::Duration;

use hotbay_core::driver::HoldError;
use hotbay_plugin_api::SavedState;

use super::{
    Limits, PROMPT, PluginCore, ReplacedComponent, call_hook, calls,
    held_components::HeldComponents, restore,
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
    let mut rolled_back = Vec::new();
    for one in held_back {
        notes.extend(restore_old(core, &one).await);
        let old = one.old.clone();
        match core.prepare(&one.id, old.task, old.options) {
            Ok(ready) => {
                prepared.push(ready);
                rolled_back.push(one);
            }
            Err(error) => notes.push(format!("{} can't be put back: {error}", one.id)),
        }
    }
    let ended = core.commit(prepared);
    for one in rolled_back {
        if ended.contains(&one.id) {
            notes.push(format!("{} has ended on the new build", one.id));
            continue;
        }
        one.new.report_gate.close();
        one.old.report_gate.open();
        if let Some(runtime) = &one.new.options.runtime {
            call_hook(&one.new.task, runtime).await;
        }
    }
    (notes, held.release())
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
async fn restore_old(core: &PluginCore, one: &ReplacedComponent) -> Option<String> {
    let checkpoint = state_to_restore(core, one).await;
    core.end_probation(&one.id);
    // A new build that began without a state knows less than the old one.
    let state = checkpoint.filter(|_| one.state.is_some())?;
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
