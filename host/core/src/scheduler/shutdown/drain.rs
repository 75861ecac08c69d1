//! Waiting until what is queued has been handled.

use std::{collections::HashSet, sync::Arc, time::Duration};

use hotbay_plugin_api::EventType;
use tokio::time::{Instant, sleep_until};

use super::Drain;
use crate::{
    bus::{Activity, Observer, Payload, SubscriptionId},
    scheduler::{
        core::{Core, Entries},
        entry::Entry,
    },
};

/// Observes the bus through one shutdown.
pub(super) struct Flow<'a, E: EventType, P: Payload> {
    core: &'a Core<E, P>,
    observer: Observer,
    until: Instant,
    settle: Duration,
    motion: (u64, u64),
    last_motion: Instant,
    outcome: Drain,
}

/// The state of the bus at one moment.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    /// A task has something to handle, or is at it.
    Working,
    /// Only receivers that are not event tasks' have, if they ever come back for it.
    Unclear,
    /// All queues are empty and all receivers wait.
    Quiet,
}

impl<'a, E: EventType, P: Payload> Flow<'a, E, P> {
    pub(super) fn observe(core: &'a Core<E, P>, until: Instant, settle: Duration) -> Self {
        let (observer, last_motion) = (core.bus().observe(), Instant::now());
        let outcome = Drain::Complete;
        Self { core, observer, until, settle, motion: (0, 0), last_motion, outcome }
    }

    /// Waits until nothing is left to handle for these stages, or the limit is over.
    pub(super) async fn drain(&mut self, stages: &[Entries<E, P>]) {
        let core = self.core;
        let mut quiet_at = None;
        loop {
            // Asked before the look, so that no change between look and wait is missed.
            let (ended, changed) = (core.ended.notified(), self.observer.changed());
            let waiting = stages.iter().flatten().filter(|entry| !entry.is_over());
            let inputs: HashSet<_> = waiting.clone().filter_map(|entry| entry.input()).collect();
            if waiting.count() == 0 {
                return;
            }
            let activity = core.bus().activity();
            let now = Instant::now();
            if self.motion != (activity.published, activity.taken) {
                self.motion = (activity.published, activity.taken);
                self.last_motion = now;
            }
            let look = look(&activity, &inputs);
            match look {
                // The channels were looked at one after the other. If nothing was published
                // from one look to the next, then the first saw all of them as they are.
                Look::Quiet if quiet_at == Some(activity.published) => return,
                Look::Quiet => {
                    quiet_at = Some(activity.published);
                    continue;
                }
                Look::Unclear if now - self.last_motion >= self.settle => return,
                Look::Unclear | Look::Working => quiet_at = None,
            }
            if now >= self.until {
                self.outcome = Drain::CutOff;
                name_those_behind(&activity, stages);
                return;
            }
            let settled = self.last_motion + self.settle;
            let look_again =
                if look == Look::Unclear { settled.min(self.until) } else { self.until };
            tokio::select! {
                () = ended => {}
                () = changed => {}
                () = sleep_until(look_again) => {}
            }
        }
    }

    pub(super) fn outcome(&self) -> Drain {
        self.outcome
    }
}

fn name_those_behind<E: EventType, P: Payload>(activity: &Activity, stages: &[Entries<E, P>]) {
    let behind = |entry: &&Arc<Entry<E, P>>| {
        entry.input().is_some_and(|input| activity.unsettled.contains(&input))
    };
    for entry in stages.iter().flatten().filter(behind) {
        tracing::warn!(task = %entry.id(), "the drain limit is over and its input is not handled");
    }
}

fn look(activity: &Activity, inputs: &HashSet<SubscriptionId>) -> Look {
    if activity.unsettled.is_empty() {
        Look::Quiet
    } else if activity.unsettled.iter().any(|id| inputs.contains(id)) {
        Look::Working
    } else {
        Look::Unclear
    }
}
