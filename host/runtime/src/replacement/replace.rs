//! Replacing the builds of components.

use std::time::Duration;

use hotbay_config::StatePolicy;
use hotbay_core::driver::HoldError;
use hotbay_plugin_api::SavedState;

use super::{
    ComponentBuild, Limits, OnFailure, PROMPT, PluginCore, ReplaceError, ReplaceStep,
    ReplacedComponent, Swap, call_hook, calls, held_components::HeldComponents, restore, resume,
};
use crate::Services;

/// Replaces the builds of running components: all of them, or none.
///
/// The swaps are in the direction of the data. Returns the replaced components, and how long
/// inputs were held. A component that has ended is left out.
///
/// # Errors
/// If a step failed. All components continue on their old builds then.
pub async fn replace(
    core: &PluginCore,
    swaps: &[Swap<'_>],
    services: &Services,
    limits: Limits,
) -> (Result<Vec<ReplacedComponent>, ReplaceError>, Duration) {
    let mut held = HeldComponents::new(core);
    let replaced = match hold_all(&mut held, swaps, limits).await {
        Ok(swaps) => hand_over(&mut held, &swaps, services, limits).await,
        Err(failed) => Err(failed),
    };
    (replaced, held.release())
}

/// Puts new builds in the places of held ones.
async fn hand_over(
    held: &mut HeldComponents<'_>,
    swaps: &[&Swap<'_>],
    services: &Services,
    limits: Limits,
) -> Result<Vec<ReplacedComponent>, ReplaceError> {
    let states = save_all(swaps).await?;
    let replaced = match suspend_all(held, swaps).await {
        Ok(()) => match make_all(swaps, states, services, limits).await {
            Ok(successors) => commit(held.core(), successors, limits).await,
            Err(failed) => Err(failed),
        },
        Err(failed) => Err(failed),
    };
    if replaced.is_err() {
        // In the reverse order, so that whoever gets events is ready before they come.
        for Swap { setup, old, .. } in swaps.iter().rev() {
            let id = setup.id();
            if held.is_suspended(&id)
                && let Err(error) = resume(old, limits).await
            {
                held.fail(&id, error);
            }
        }
    }
    replaced
}

/// Saves the states of the old builds.
async fn save_all(swaps: &[&Swap<'_>]) -> Result<Vec<Option<SavedState>>, ReplaceError> {
    let mut states = Vec::new();
    for Swap { setup, old, to } in swaps {
        states.push(match setup.spec.state {
            StatePolicy::Discard => None,
            StatePolicy::Keep => calls::save(&old.task, old.runtime_or(*to), PROMPT)
                .await
                .map_err(|error| setup.failed(ReplaceStep::SaveState, error))?,
        });
    }
    Ok(states)
}

/// Has those old builds let go of what only one may hold that say so. All of them, before any new
/// build is made: components of one plugin may hold something together.
async fn suspend_all(
    held: &mut HeldComponents<'_>,
    swaps: &[&Swap<'_>],
) -> Result<(), ReplaceError> {
    for Swap { setup, old, to } in swaps.iter().filter(|it| it.old.is_exclusive()) {
        held.note_suspended(setup.id());
        calls::suspend(&old.task, old.runtime_or(*to))
            .await
            .map_err(|error| setup.failed(ReplaceStep::Suspend, error))?;
    }
    Ok(())
}

/// A new build that was initialized with the state of the previous one.
struct Successor<'s> {
    swap: &'s Swap<'s>,
    build: ComponentBuild,
    state: Option<SavedState>,
}

/// Holds the components, and returns the swaps of those that are running.
async fn hold_all<'s>(
    held: &mut HeldComponents<'_>,
    swaps: &'s [Swap<'s>],
    limits: Limits,
) -> Result<Vec<&'s Swap<'s>>, ReplaceError> {
    let mut running = Vec::new();
    for swap in swaps {
        match held.hold(swap.setup.id(), limits.hold).await {
            Ok(()) => running.push(swap),
            // The component ended by itself: there is nothing to hand over.
            Err(HoldError::NotRunning(_)) => {}
            Err(error) => return Err(swap.setup.failed(ReplaceStep::Hold, error)),
        }
    }
    Ok(running)
}

/// Makes and initializes all new builds. If one fails, those before it are shut down.
async fn make_all<'s>(
    swaps: &[&'s Swap<'s>],
    states: Vec<Option<SavedState>>,
    services: &Services,
    limits: Limits,
) -> Result<Vec<Successor<'s>>, ReplaceError> {
    let mut successors = Vec::new();
    for (swap, state) in swaps.iter().zip(states) {
        match successor(swap, state, services, limits).await {
            Ok(successor) => successors.push(successor),
            Err(failed) => {
                shut_down(successors).await;
                return Err(failed);
            }
        }
    }
    Ok(successors)
}

/// Makes the new build of a held component and hands the old build's state over to it.
async fn successor<'s>(
    swap: &'s Swap<'s>,
    state: Option<SavedState>,
    services: &Services,
    limits: Limits,
) -> Result<Successor<'s>, ReplaceError> {
    let Swap { setup, .. } = swap;
    setup.slot.begin_handover();
    let build = make(swap, state.as_ref(), services, limits.initialize).await;
    setup.slot.end_handover();
    Ok(Successor { swap, build: build?, state })
}

/// Makes, restores and initializes one new build, with a limit for each of the three.
async fn make(
    Swap { setup, to, .. }: &Swap<'_>,
    state: Option<&SavedState>,
    services: &Services,
    limit: Duration,
) -> Result<ComponentBuild, ReplaceError> {
    let build = calls::within(limit, to.make(setup, services))
        .await
        .map_err(|error| setup.failed(ReplaceStep::Create, error))?;
    if let Some(state) = state
        && let Err(error) = restore(&build.task, to.runtime(), state.clone(), limit).await
    {
        // The build was never initialized, so it gets no `shutdown`.
        build.report_gate.close();
        return Err(setup.failed(ReplaceStep::Restore, error));
    }
    match calls::initialize(&build.task, to.runtime(), limit).await {
        Ok(()) => Ok(build),
        Err(error) => {
            build.report_gate.close();
            call_hook(&build.task, to.runtime()).await;
            Err(setup.failed(ReplaceStep::Initialize, error))
        }
    }
}

/// Prepares all successors, then puts all of them into service at once.
async fn commit(
    core: &PluginCore,
    successors: Vec<Successor<'_>>,
    limits: Limits,
) -> Result<Vec<ReplacedComponent>, ReplaceError> {
    let prepare = |Successor { swap, build, .. }: &Successor<'_>| {
        core.prepare(&swap.setup.id(), build.task.clone(), build.options.clone())
            .map_err(|error| swap.setup.failed(ReplaceStep::Install, error))
    };
    let prepared: Vec<_> = match successors.iter().map(prepare).collect() {
        Ok(prepared) => prepared,
        Err(failed) => {
            shut_down(successors).await;
            return Err(failed);
        }
    };
    // From here on nothing can fail, and nothing is awaited until all are in service.
    let ended = core.commit(prepared);
    let (left_out, installed): (Vec<_>, Vec<_>) =
        successors.into_iter().partition(|it| ended.contains(&it.swap.setup.id()));
    let replaced = installed.into_iter().map(|successor| into_service(core, successor, limits));
    let replaced = replaced.collect();
    // A task that has ended since it was prepared was ended by a shutdown of the host.
    shut_down(left_out).await;
    Ok(replaced)
}

/// Does what follows the commit of one build.
fn into_service(core: &PluginCore, successor: Successor<'_>, limits: Limits) -> ReplacedComponent {
    let Successor { swap: Swap { setup, old, .. }, build: new, state } = successor;
    if limits.on_failure == OnFailure::Hold {
        core.begin_probation(&setup.id());
        setup.slot.keep_received();
    }
    if state.is_some() {
        // The new build continues with what the old one has reported until now.
        old.report_gate.close();
    }
    ReplacedComponent { id: setup.id(), slot: setup.slot.clone(), state, old: old.clone(), new }
}

/// Shuts down builds that did not come into service. They report nothing.
async fn shut_down(successors: Vec<Successor<'_>>) {
    for Successor { swap, build, .. } in successors {
        build.report_gate.close();
        call_hook(&build.task, swap.to.runtime()).await;
    }
}
