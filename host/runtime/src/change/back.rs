//! Going back to the builds before.

use std::time::Duration;

use hotbay_core::driver::HoldError;
use hotbay_plugin_api::SavedState;

use super::{Changed, Limits, PROMPT, PluginCore, call_hook, calls, held::Held, restore};

/// Goes back to the builds before; `changed` are in the direction of the data. Returns what
/// was said about states that could not be taken back, and how long inputs were held.
pub async fn change_back(
    core: &PluginCore,
    changed: Vec<Changed>,
    limits: Limits,
) -> (Vec<String>, Duration) {
    let mut notes = Vec::new();
    let mut held = Held::new(core);
    let (mut back, mut prepared) = (Vec::new(), Vec::new());
    for one in changed {
        match held.hold(one.id.clone(), limits.hold).await {
            Ok(()) => back.push(one),
            Err(error) => {
                notes.push(format!("{} stays on the new build: {error}", one.id));
                stay(core, &one, error).await;
            }
        }
    }
    let mut returning = Vec::new();
    for one in back {
        notes.extend(restore_old(core, &one).await);
        let old = one.old.clone();
        match core.prepare(&one.id, old.task, old.options) {
            Ok(ready) => {
                prepared.push(ready);
                returning.push(one);
            }
            Err(error) => notes.push(format!("{} can't be put back: {error}", one.id)),
        }
    }
    let ended = core.commit(prepared);
    for one in returning {
        if ended.contains(&one.id) {
            notes.push(format!("{} has ended on the new build", one.id));
            continue;
        }
        one.new.voice.mute();
        one.old.voice.unmute();
        if let Some(runtime) = &one.new.options.runtime {
            call_hook(&one.new.task, runtime, PROMPT).await;
        }
    }
    (notes, held.release())
}

/// A component that can't be held stays on its new build.
async fn stay(core: &PluginCore, one: &Changed, error: HoldError) {
    one.seat.stop_keeping();
    core.confirm(&one.id);
    // It ended by itself, and its build goes.
    if let (HoldError::NotRunning(_), Some(runtime)) = (error, &one.new.options.runtime)
        && core.take_hook(&one.id)
    {
        call_hook(&one.new.task, runtime, PROMPT).await;
    }
}

/// Brings the build before to where it can go on; what can't be done is noted.
async fn restore_old(core: &PluginCore, one: &Changed) -> Option<String> {
    let checkpoint = state_to_go_back_to(core, one).await;
    core.end_probation(&one.id);
    // A new build that began from the start knows less than the old one.
    let state = checkpoint.filter(|_| one.state.is_some())?;
    let runtime = one.old.options.runtime.as_ref()?;
    let restored = restore(&one.old.task, runtime, state, PROMPT).await;
    let error = restored.err()?;
    Some(format!("{} goes on with the state from before: {error}", one.id))
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
