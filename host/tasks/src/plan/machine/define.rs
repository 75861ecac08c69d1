//! Defining tasks, and removing them.

use super::*;

impl Plan {
    pub(super) fn define(
        &mut self,
        task: &Arc<str>,
        definition: TaskDefinition,
        stored: Option<StoredTask>,
    ) {
        let now = self.clock.now;
        match (self.tasks.remove(task), stored) {
            (Some(before), _) => {
                // A schedule that was edited does not fire at once: its next run is one after it.
                let is_edited = before.trigger != definition.trigger;
                let cursor = if is_edited { before.cursor.max(now) } else { before.cursor };
                self.forget_times(task, &before);
                // Nor does one that was edited to begin with its plugin, which has begun.
                let started = before.started || self.services.contains(&definition.plugin);
                let PlannedTask { upstream, live, paused, .. } = *before;
                let edges = upstream.as_ref().map(|it| it.dependencies.edges().to_vec());
                let edges = edges.unwrap_or_default();
                let new = self.policies.plan(definition);
                let planned = PlannedTask { upstream, live, paused, started, ..new };
                self.insert_task(task, planned, cursor, edges);
            }
            (None, Some(StoredTask { cursor, edges, paused })) => {
                let planned = PlannedTask { paused, ..self.policies.plan(definition) };
                let cursor = cursor.unwrap_or(now);
                self.insert_task(task, planned, cursor, edges);
                if cursor.duration_since(now) > CLOCK_RESET {
                    // The clock was set back while no host ran.
                    self.reset_cursor(task);
                }
                self.catch_up(task, &mut 0);
            }
            (None, None) => {
                // The first run of an interval is due now, although its anchor is past by a moment.
                let first = definition.trigger.anchor().map_or(now, |anchor| anchor.min(now));
                let cursor = first.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(first);
                let planned = self.policies.plan(definition);
                self.insert_task(task, planned, cursor, Vec::new());
            }
        }
        self.start_if_in_service(task);
    }

    fn insert_task(
        &mut self,
        task: &Arc<str>,
        mut planned: PlannedTask,
        cursor: Timestamp,
        edges: Vec<DependencyEdge>,
    ) {
        let edge = |upstream: &Arc<str>| {
            let stored = edges.iter().find(|edge| edge.upstream == *upstream).cloned();
            let mut edge = stored.unwrap_or_else(|| DependencyEdge::new(Arc::clone(upstream)));
            edge.unavailable = self.unavailable(upstream);
            edge
        };
        let policy = &planned.policy;
        let edges: Vec<_> = policy.depends_on.iter().map(edge).collect();
        if !edges.is_empty() || planned.upstream.is_some() {
            planned.upstream.get_or_insert_default().dependencies = Dependencies::new(edges);
        }
        for upstream in &policy.depends_on {
            self.dependents.entry(Arc::clone(upstream)).or_default().insert(Arc::clone(task));
        }
        self.ready.set_rate(Arc::clone(task), policy.start_interval);
        let adopted = self.orphans.remove(task).unwrap_or_default();
        for &run in &adopted {
            planned.live.insert(run);
            if self.runs.get(&run).is_some_and(|it| it.state == RunState::Dependencies) {
                planned.waits(run);
            }
        }
        // A task that depends on none any more keeps none of its runs waiting.
        let released = planned.upstream.take_if(|_| planned.policy.depends_on.is_empty());
        self.tasks.insert(Arc::clone(task), Box::new(planned));
        adopted.into_iter().for_each(|run| self.rank_anew(run));
        for run in released.into_iter().flat_map(|it| it.waiting) {
            self.queue(run);
        }
        self.limit_task(task);
        self.set_cursor(task, cursor);
        self.tell_dependents(task, None);
        self.follow_dependencies(task);
    }

    /// Gives a run that waits for a place the rank of its task, whose priority was not known when the
    /// run was restored.
    fn rank_anew(&mut self, run: RunId) {
        let is_queued = |it: &&LiveRun| it.state == RunState::Queued;
        if let Some(live) = self.runs.get(&run).filter(is_queued).cloned() {
            self.ready.remove(run);
            self.enqueue(run, &live);
        }
    }

    /// Removes a task. Its runs that wait are cancelled, those under way go on.
    pub(super) fn remove(&mut self, task: &Arc<str>) {
        let Some(planned) = self.tasks.remove(task) else { return };
        self.forget_times(task, &planned);
        self.ready.set_limit(Limit::Task(Arc::clone(task)), Some(0));
        for run in planned.live {
            self.orphans.entry(Arc::clone(task)).or_default().insert(run);
            if self.runs.get(&run).is_some_and(|it| !it.state.has_place()) {
                self.stop(run, StopReason::Cancelled);
            }
        }
        self.tell_dependents(task, Some("there is no such task"));
    }

    /// Forgets when a task is due, and on which others it depends.
    fn forget_times(&mut self, task: &Arc<str>, planned: &PlannedTask) {
        if let Some(next) = planned.next {
            self.due.remove(&(next.start, Waker::Task(Arc::clone(task))));
        }
        for upstream in &planned.policy.depends_on {
            if let Some(dependents) = self.dependents.get_mut(upstream) {
                dependents.remove(task);
            }
        }
    }
}
