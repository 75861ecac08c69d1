//! Going over to new builds.

use std::time::Duration;

use hotbay_config::StatePolicy;
use hotbay_core::driver::HoldError;
use hotbay_plugin_api::{SavedState, SchedulerError};

use super::{
    After, Changed, Failed, Limits, Made, PROMPT, PluginCore, Seated, Step, Swap, call_hook, calls,
    held::Held, restore,
};
use crate::Services;

/// Puts new builds of running components in their places; all of them or none.
///
/// The swaps are in the direction of the data. Returns what changed, and how long inputs
/// were held. A component that has ended is left out.
pub async fn change_over(
    core: &PluginCore,
    swaps: &[Swap<'_>],
    services: &Services,
    limits: Limits,
) -> (Result<Vec<Changed>, Failed>, Duration) {
    let mut held = Held::new(core);
    let changed = match hold_all(&mut held, swaps, limits).await {
        Ok(swaps) => match make_all(&swaps, services, limits).await {
            Ok(successors) => put_in(core, successors, limits).await,
            Err(failed) => Err(failed),
        },
        Err(failed) => Err(failed),
    };
    (changed, held.release())
}

/// A new build that was initialized with the state of the one before.
struct Successor<'s> {
    swap: &'s Swap<'s>,
    made: Made,
    state: Option<SavedState>,
}

/// Holds the components, and returns the swaps of those that run.
async fn hold_all<'s>(
    held: &mut Held<'_>,
    swaps: &'s [Swap<'s>],
    limits: Limits,
) -> Result<Vec<&'s Swap<'s>>, Failed> {
    let mut running = Vec::new();
    for swap in swaps {
        match held.hold(swap.plan.id(), limits.hold).await {
            Ok(()) => running.push(swap),
            // It ended by itself: there is nothing to hand over.
            Err(HoldError::NotRunning(_)) => {}
            Err(error) => return Err(swap.plan.failed(Step::Hold, error)),
        }
    }
    Ok(running)
}

async fn make_all<'s>(
    swaps: &[&'s Swap<'s>],
    services: &Services,
    limits: Limits,
) -> Result<Vec<Successor<'s>>, Failed> {
    let mut successors = Vec::new();
    for swap in swaps {
        match successor(swap, services, limits).await {
            Ok(successor) => successors.push(successor),
            Err(failed) => {
                end(successors).await;
                return Err(failed);
            }
        }
    }
    Ok(successors)
}

/// The new build of a held component, initialized with the state of the old one.
async fn successor<'s>(
    swap: &'s Swap<'s>,
    services: &Services,
    limits: Limits,
) -> Result<Successor<'s>, Failed> {
    let Swap { plan, old, to } = swap;
    let runtime = old.options.runtime.as_ref().unwrap_or_else(|| to.runtime());
    let state = match plan.state {
        StatePolicy::Discard => None,
        StatePolicy::Keep => calls::save(&old.task, runtime, PROMPT)
            .await
            .map_err(|error| plan.failed(Step::SaveState, error))?,
    };
    plan.seat.begin_handover();
    let made = make(swap, state.as_ref(), services, limits.initialize).await;
    plan.seat.end_handover();
    Ok(Successor { swap, made: made?, state })
}

async fn make(
    Swap { plan, to, .. }: &Swap<'_>,
    state: Option<&SavedState>,
    services: &Services,
    limit: Duration,
) -> Result<Made, Failed> {
    let made = calls::within(limit, to.make(plan, services))
        .await
        .map_err(|error| plan.failed(Step::Create, error))?;
    if let Some(state) = state
        && let Err(error) = restore(&made.task, to.runtime(), state.clone(), limit).await
    {
        // It was never initialized, so no `shutdown` is due.
        made.voice.mute();
        return Err(plan.failed(Step::Restore, error));
    }
    match calls::initialize(&made.task, to.runtime(), limit).await {
        Ok(()) => Ok(made),
        Err(error) => {
            made.voice.mute();
            call_hook(&made.task, to.runtime(), PROMPT).await;
            Err(plan.failed(Step::Initialize, error))
        }
    }
}

/// Prepares all successors for their places, then puts all of them in.
async fn put_in(
    core: &PluginCore,
    successors: Vec<Successor<'_>>,
    limits: Limits,
) -> Result<Vec<Changed>, Failed> {
    let mut prepared = Vec::new();
    let mut refused: Option<(Step, SchedulerError, usize)> = None;
    for (at, Successor { swap, made, .. }) in successors.iter().enumerate() {
        match core.prepare(&swap.plan.id(), made.task.clone(), made.options.clone()) {
            Ok(ready) => prepared.push(ready),
            Err(error) => {
                refused = Some((Step::Seat, error, at));
                break;
            }
        }
    }
    if let Some((step, error, at)) = refused {
        let failed = successors[at].swap.plan.failed(step, error);
        drop(prepared);
        end(successors).await;
        return Err(failed);
    }
    // From here on nothing can fail, and nothing waits until all are in service.
    let ended = core.commit(prepared);
    let (left_out, seated): (Vec<_>, Vec<_>) =
        successors.into_iter().partition(|it| ended.contains(&it.swap.plan.id()));
    let changed = seated.into_iter().map(|successor| in_service(core, successor, limits));
    let changed = changed.collect();
    // The host is being stopped.
    end(left_out).await;
    Ok(changed)
}

fn in_service(core: &PluginCore, successor: Successor<'_>, limits: Limits) -> Changed {
    let Successor { swap: Swap { plan, old, .. }, made, state } = successor;
    let Made { task, options, voice } = made;
    if limits.after == After::Probation {
        core.begin_probation(&plan.id());
        plan.seat.keep_received();
    }
    if state.is_some() {
        // The new build goes on with what the old one has reported until now.
        old.voice.mute();
    }
    let new = Seated { task, options, voice };
    Changed { id: plan.id(), seat: plan.seat.clone(), state, old: old.clone(), new }
}

/// Ends builds that did not come into service. They say nothing in the report.
async fn end(successors: Vec<Successor<'_>>) {
    for Successor { swap, made, .. } in successors {
        made.voice.mute();
        call_hook(&made.task, swap.to.runtime(), PROMPT).await;
    }
}
