//! Creating runs: by time, by dependencies and by request.

use super::*;
use crate::plan::{
    CatchUp, OnDependencyFailure, Readiness, Recurrence, RunCounts, RunOutcome, UpstreamRun,
};

/// The number of due times that one step deals with. There are more if the host is late, or if
/// very many tasks are due at once.
const DUE_AT_ONCE: usize = 1_000;

/// By how much each run that is made up for is put off after the one before, so that a host that
/// wakes does not begin all of them at once.
const SPREAD: SignedDuration = SignedDuration::from_millis(50);

impl Plan {
    /// Takes note of the time, and deals with what is due.
    pub(super) fn pass_time(&mut self, clock: Clock) {
        let passed = clock.uptime.saturating_sub(self.clock.uptime);
        let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
        let expected = self.clock.now.saturating_add(passed).unwrap_or(Timestamp::MAX);
        let step = clock.now.duration_since(expected);
        self.clock = clock;
        if step > CLOCK_TOLERANCE {
            self.missed_after = Some(expected);
        }
        if step < -CLOCK_RESET {
            self.reset_cursors();
        }
        self.due_times();
        self.passed_deadlines();
    }

    /// Lets the schedules go on from the present time, because the clock was set back far.
    fn reset_cursors(&mut self) {
        let now = self.clock.now;
        let ahead = self.tasks.iter().filter(|(_, it)| it.cursor > now);
        let tasks: Vec<_> = ahead.map(|(task, _)| Arc::clone(task)).collect();
        tasks.iter().for_each(|task| self.reset_cursor(task));
    }

    /// Lets the schedule of a task go on from the present time.
    pub(super) fn reset_cursor(&mut self, task: &Arc<str>) {
        let cursor = self.clock.now;
        let Some(planned) = self.tasks.get_mut(task) else { return };
        let is_once = matches!(
            &planned.trigger,
            Trigger::Time(Timing { recurrence: Recurrence::Once(_), .. })
        );
        if is_once {
            // It takes place if it was missed. If it took place, the store refuses a second run.
            return self.set_cursor(task, cursor);
        }
        planned.cursor = cursor;
        self.step.changes.push(Change::Reset { task: Arc::clone(task), cursor });
        self.set_next(task);
    }

    /// Deals with what is due, as far as one step does. The rest is due in the next step, which
    /// follows at once.
    fn due_times(&mut self) {
        let mut made_up = 0;
        for _ in 0..DUE_AT_ONCE {
            if self.due.first().is_none_or(|(at, _)| *at > self.clock.now) {
                self.missed_after = None;
                return;
            }
            match self.due.pop_first() {
                Some((at, Waker::Task(task))) => self.task_is_due(&task, at, &mut made_up),
                Some((_, Waker::Run(run))) => self.run_is_due(run),
                None => {}
            }
        }
    }

    /// Creates the run of a task that is due next.
    fn task_is_due(&mut self, task: &Arc<str>, at: Timestamp, made_up: &mut i32) {
        if self.is_held(task) {
            // It is caught up with when its runs can be stored again.
            return;
        }
        if self.missed_after.is_some_and(|since| at > since) {
            self.catch_up(task, made_up);
        } else if let Some(due) = self.tasks.get(task).and_then(|it| it.next) {
            self.create(task, RunCause::Time(due.nominal), None, false);
            self.set_cursor(task, due.nominal);
        }
    }

    /// Deals with the runs of a task that were missed, if there are any. `made_up` counts the runs
    /// of all tasks that are made up for.
    pub(super) fn catch_up(&mut self, task: &Arc<str>, made_up: &mut i32) {
        let Some(planned) = self.tasks.get(task).filter(|_| !self.is_held(task)) else { return };
        let Trigger::Time(timing) = &planned.trigger else { return };
        if planned.next.is_some_and(|due| due.start <= self.clock.now) {
            let policy = planned.policy.misfire;
            let caught_up = policy.catch_up(timing, planned.cursor, self.clock.now);
            self.make_up(task, caught_up, made_up);
        }
    }

    fn make_up(&mut self, task: &Arc<str>, caught_up: CatchUp, made_up: &mut i32) {
        if let Some(missed) = caught_up.missed {
            self.step.changes.push(Change::Missed { task: Arc::clone(task), missed });
        }
        for nominal in caught_up.made_up {
            let delay = SPREAD.checked_mul(*made_up).unwrap_or(SignedDuration::ZERO);
            *made_up += 1;
            let begin = self.clock.now.saturating_add(delay).unwrap_or(self.clock.now);
            self.create(task, RunCause::MadeUp(nominal), Some(begin), false);
        }
        if let Some(cursor) = caught_up.cursor {
            self.set_cursor(task, cursor);
        } else {
            self.set_next(task);
        }
    }

    pub(super) fn set_cursor(&mut self, task: &Arc<str>, cursor: Timestamp) {
        let Some(planned) = self.tasks.get_mut(task) else { return };
        planned.cursor = cursor;
        self.step.changes.push(Change::Cursor { task: Arc::clone(task), cursor });
        self.set_next(task);
    }

    /// Finds the next time at which a task is due.
    pub(super) fn set_next(&mut self, task: &Arc<str>) {
        let Some(planned) = self.tasks.get_mut(task) else { return };
        let before = planned.next.take();
        if let Trigger::Time(timing) = &planned.trigger {
            planned.next = timing.next_after(planned.cursor, task);
        }
        let next = planned.next;
        let waker = |due: DueTime| (due.start, Waker::Task(Arc::clone(task)));
        if let Some(due) = before {
            self.due.remove(&waker(due));
        }
        if let Some(due) = next {
            self.due.insert(waker(due));
        }
    }

    /// The delay of a run is over.
    fn run_is_due(&mut self, run: RunId) {
        let Some(live) = self.runs.get_mut(&run) else { return };
        let task = Arc::clone(live.task());
        let has_dependencies =
            self.tasks.get(&task).is_some_and(|it| !it.policy.depends_on.is_empty());
        // A run that is tried again does not wait for them again.
        if live.counts == RunCounts::default() && has_dependencies {
            live.state = RunState::Dependencies;
            if let Some(planned) = self.tasks.get_mut(&task) {
                planned.waits(run);
            }
            self.note_state(run);
            self.follow_dependencies(&task);
        } else {
            self.queue(run);
        }
    }

    /// Lets a run wait for a place.
    pub(super) fn queue(&mut self, run: RunId) {
        let Some(mut live) = self.runs.remove(&run) else { return };
        if let Some(planned) = self.tasks.get_mut(live.task()) {
            planned.waits_no_more(run);
        }
        live.state = RunState::Queued;
        self.enqueue(run, &live);
        self.runs.insert(run, live);
        self.note_state(run);
    }

    pub(super) fn start_if_in_service(&mut self, task: &Arc<str>) {
        if self.is_held(task) {
            return;
        }
        let Some(planned) = self.tasks.get_mut(task) else { return };
        let is_there = self.services.contains(&planned.policy.plugin);
        if is_there && planned.trigger == Trigger::Start && !planned.started {
            planned.started = true;
            self.create(task, RunCause::Start, None, false);
        }
    }

    pub(super) fn request(&mut self, task: &Arc<str>, cause: RunCause, forced: bool) {
        if self.tasks.contains_key(task) {
            self.create(task, cause, None, forced);
        } else {
            self.skip(task, cause, SkipReason::Unknown);
        }
    }

    /// Creates a run, unless it must not take place beside those that have not ended.
    fn create(&mut self, task: &Arc<str>, cause: RunCause, begin: Option<Timestamp>, forced: bool) {
        let Some(planned) = self.tasks.get(task) else { return };
        if planned.paused && !matches!(cause, RunCause::Request(_)) {
            return self.skip(task, cause, SkipReason::Paused);
        }
        // Runs that are made up for come at once, and so one after the other whatever the policy is.
        let is_made_up = |cause: &RunCause| matches!(cause, RunCause::MadeUp(_));
        let is_in_the_way = |run: &&RunId| {
            let other = self.runs.get(*run);
            !(is_made_up(&cause) && other.is_some_and(|it| is_made_up(&it.cause)))
        };
        let mut in_the_way = planned.live.iter().filter(is_in_the_way);
        match planned.policy.overlap {
            _ if forced => {}
            Overlap::Skip => {
                if let Some(first) = in_the_way.next() {
                    return self.skip(task, cause, SkipReason::Overlap(*first));
                }
            }
            Overlap::Queue | Overlap::Allow => {}
            Overlap::Replace => {
                let earlier: Vec<_> = in_the_way.copied().collect();
                earlier.into_iter().for_each(|run| self.stop(run, StopReason::Replaced));
            }
        }
        let Some(planned) = self.tasks.get_mut(task) else { return };
        let run = RunId(self.next_run);
        self.next_run += 1;
        planned.live.insert(run);
        let policy = &planned.policy;
        let has_to_wait = !policy.depends_on.is_empty() && !forced;
        let state = match begin.filter(|begin| *begin > self.clock.now) {
            Some(begin) => RunState::Delayed(begin),
            None if has_to_wait && cause != RunCause::Dependencies => RunState::Dependencies,
            None => RunState::Queued,
        };
        let group = Group {
            plugin: Arc::clone(&policy.plugin),
            task: Arc::clone(task),
            key: policy.key.clone(),
        };
        let live =
            LiveRun { group, cause, since: self.clock.now, state, counts: RunCounts::default() };
        self.step.changes.push(Change::Created { run, live: live.clone() });
        self.insert_run(run, live);
        self.follow_dependencies(task);
    }

    /// Deals with the dependencies of a task, some of which may have changed.
    pub(super) fn follow_dependencies(&mut self, task: &Arc<str>) {
        let Some(planned) = self.tasks.get(task) else { return };
        let Some(upstream) = &planned.upstream else { return };
        let waiting = upstream.waiting.first().copied();
        let is_triggered = planned.trigger == Trigger::Dependencies;
        if (waiting.is_none() && !is_triggered) || self.is_held(task) {
            return;
        }
        let readiness = upstream.dependencies.readiness();
        if matches!(readiness, Readiness::Waits(_)) {
            return;
        }
        let policy = planned.policy.on_dependency_failure;
        self.consume(task);
        let failure = match (readiness, policy) {
            (Readiness::Waits(_) | Readiness::Satisfied, _) => None,
            (Readiness::Failed { .. }, OnDependencyFailure::Run) => None,
            (Readiness::Failed { upstream, run, reason }, OnDependencyFailure::Skip) => {
                Some(RunOutcome::Skipped { upstream, run, reason })
            }
            (Readiness::Failed { upstream, reason, .. }, OnDependencyFailure::Fail) => {
                Some(RunOutcome::Failed(format!("{upstream}, on which it depends, {reason}")))
            }
        };
        match (waiting, failure) {
            (Some(run), None) => self.queue(run),
            (None, None) => self.create(task, RunCause::Dependencies, None, false),
            (Some(run), Some(failure)) => self.finish(run, failure),
            (None, Some(failure)) => {
                if let Some(run) = self.created(task) {
                    self.finish(run, failure);
                }
            }
        }
    }

    /// Creates a run and returns it, if it may take place.
    fn created(&mut self, task: &Arc<str>) -> Option<RunId> {
        let run = RunId(self.next_run);
        self.create(task, RunCause::Dependencies, None, false);
        self.runs.contains_key(&run).then_some(run)
    }

    fn consume(&mut self, task: &Arc<str>) {
        let planned = self.tasks.get_mut(task);
        if let Some(upstream) = planned.and_then(|it| it.upstream.as_mut()) {
            upstream.dependencies.consume();
            let edges = upstream.dependencies.edges().to_vec();
            self.step.changes.push(Change::Edges { task: Arc::clone(task), edges });
        }
    }

    /// Tells the tasks that depend on a task that a run of it has ended.
    pub(super) fn tell_ended(&mut self, task: &Arc<str>, ended: &UpstreamRun) {
        for dependent in self.dependents.get(task).cloned().unwrap_or_default() {
            let planned = self.tasks.get_mut(&dependent);
            let Some(upstream) = planned.and_then(|it| it.upstream.as_mut()) else { continue };
            upstream.dependencies.ended(task, ended);
            let edges = upstream.dependencies.edges().to_vec();
            self.step.changes.push(Change::Edges { task: Arc::clone(&dependent), edges });
            self.follow_dependencies(&dependent);
        }
    }
}

#[cfg(test)]
mod tests;
