//! Ending runs, and trying them again.

use super::*;
use crate::plan::{AttemptOutcome, RunOutcome, UpstreamRun};

impl RunState {
    /// Returns `true` if the run has a place, because its code may be executed.
    pub fn has_place(&self) -> bool {
        matches!(self, Self::Running { .. } | Self::Abandoned(_))
    }
}

impl Plan {
    /// Asks a run to stop. One that waits ends at once.
    pub(super) fn stop(&mut self, run: RunId, reason: StopReason) {
        let Some(live) = self.runs.get_mut(&run) else { return };
        match &mut live.state {
            // The first reason stays, because it is what the run's code was told.
            RunState::Running { stopping: stopping @ None, .. } => {
                *stopping = Some(reason);
                self.note_state(run);
                self.step.effects.push(Effect::Stop { run, reason });
            }
            RunState::Running { .. } | RunState::Abandoned(_) => {}
            RunState::Delayed(_) | RunState::Dependencies | RunState::Queued => {
                let outcome = match reason {
                    StopReason::Replaced => RunOutcome::Replaced,
                    StopReason::TimeLimit => RunOutcome::TimedOut,
                    StopReason::Cancelled | StopReason::Interrupted => RunOutcome::Cancelled,
                };
                self.finish(run, outcome);
            }
        }
    }

    pub(super) fn passed_deadlines(&mut self) {
        while self.deadlines.first().is_some_and(|(at, _)| *at <= self.clock.uptime) {
            if let Some((_, run)) = self.deadlines.pop_first() {
                self.stop(run, StopReason::TimeLimit);
            }
        }
    }

    /// Notes that a run that was asked to stop does not.
    pub(super) fn abandon(&mut self, run: RunId) {
        let Some(live) = self.runs.get_mut(&run) else { return };
        if let RunState::Running { stopping: Some(reason), .. } = live.state {
            live.state = RunState::Abandoned(reason);
            self.note_state(run);
        }
    }

    /// Deals with the end of an attempt.
    pub(super) fn ended(&mut self, run: RunId, outcome: AttemptOutcome) {
        let Some(live) = self.runs.get(&run) else { return };
        let stopped_for = match live.state {
            RunState::Running { stopping, deadline } => {
                if let Some(at) = deadline {
                    self.deadlines.remove(&(at, run));
                }
                stopping
            }
            RunState::Abandoned(reason) => Some(reason),
            // The attempt was reported before.
            RunState::Delayed(_) | RunState::Dependencies | RunState::Queued => return,
        };
        self.ready.release(run);
        let failure = match (outcome, stopped_for) {
            // An attempt that was successful in spite of the request to stop is successful.
            (AttemptOutcome::Succeeded, _) => return self.finish(run, RunOutcome::Succeeded),
            // What it was asked for holds, also if the host ended before its code heard of it.
            (AttemptOutcome::Crashed, None | Some(StopReason::Interrupted)) => {
                return self.crashed(run);
            }
            (_, Some(StopReason::Cancelled)) => return self.finish(run, RunOutcome::Cancelled),
            (_, Some(StopReason::Replaced)) => return self.finish(run, RunOutcome::Replaced),
            (AttemptOutcome::Interrupted, _) | (_, Some(StopReason::Interrupted)) => {
                return self.interrupted(run);
            }
            (_, Some(StopReason::TimeLimit)) => RunOutcome::TimedOut,
            (AttemptOutcome::Failed(reason), None) => RunOutcome::Failed(reason),
            (AttemptOutcome::Stopped, None) => {
                RunOutcome::Failed("it stopped by itself".to_owned())
            }
        };
        self.failed(run, failure);
    }

    /// Tries a run again, if it has attempts left.
    fn failed(&mut self, run: RunId, failure: RunOutcome) {
        let Some(live) = self.runs.get_mut(&run) else { return };
        let retry = self.tasks.get(live.task()).map(|it| it.policy.retry);
        let Some(retry) = retry.filter(|retry| live.counts.attempts < retry.attempts) else {
            return self.finish(run, failure);
        };
        let delay = retry.delay_after(live.counts.attempts, live.task(), self.clock.now);
        let delay = SignedDuration::try_from(delay).unwrap_or(SignedDuration::MAX);
        let at = self.clock.now.saturating_add(delay).unwrap_or(Timestamp::MAX);
        live.state = RunState::Delayed(at);
        self.due.insert((at, Waker::Run(run)));
        self.note_state(run);
    }

    /// Lets a run wait for a place again: the attempt does not count.
    fn interrupted(&mut self, run: RunId) {
        let Some(live) = self.runs.get_mut(&run) else { return };
        live.counts.attempts = live.counts.attempts.saturating_sub(1);
        live.counts.interruptions += 1;
        self.queue(run);
    }

    /// Tries a run again during which the host crashed, if it has not crashed too often.
    fn crashed(&mut self, run: RunId) {
        let Some(live) = self.runs.get_mut(&run) else { return };
        live.counts.attempts = live.counts.attempts.saturating_sub(1);
        live.counts.crashes += 1;
        let most = self.tasks.get(live.task()).map(|it| it.policy.retry.crashes);
        if most.is_some_and(|most| live.counts.crashes >= most) {
            self.finish(run, RunOutcome::Parked);
        } else {
            self.queue(run);
        }
    }

    /// Ends a run that has no place any more.
    pub(super) fn finish(&mut self, run: RunId, outcome: RunOutcome) {
        let Some(live) = self.runs.get(&run) else { return };
        let task = Arc::clone(live.task());
        self.forget(run);
        self.step.changes.push(Change::Ended { run, outcome: outcome.clone() });
        self.tell_ended(&task, &UpstreamRun { run, failure: outcome.failure() });
    }

    /// Forgets a run that must not take place, as if it had never been created.
    pub(super) fn drop_duplicate(&mut self, run: RunId) {
        self.ready.release(run);
        let deadline = self.runs.get(&run).and_then(|live| match live.state {
            RunState::Running { deadline, .. } => deadline,
            RunState::Delayed(_)
            | RunState::Dependencies
            | RunState::Queued
            | RunState::Abandoned(_) => None,
        });
        if let Some(at) = deadline {
            self.deadlines.remove(&(at, run));
        }
        self.forget(run);
    }

    /// Forgets a run that does not take place.
    pub(super) fn forget(&mut self, run: RunId) {
        let Some(live) = self.runs.remove(&run) else { return };
        if let RunState::Delayed(at) = live.state {
            self.due.remove(&(at, Waker::Run(run)));
        }
        self.ready.remove(run);
        match self.tasks.get_mut(live.task()) {
            Some(planned) => {
                planned.waits_no_more(run);
                planned.live.remove(&run)
            }
            None => self.orphans.get_mut(live.task()).is_some_and(|runs| runs.remove(&run)),
        };
    }
}
