//! What the plan keeps of each task.

use super::*;

/// A task, and where its schedule is.
#[derive(Debug)]
pub(super) struct PlannedTask {
    pub(super) trigger: Trigger,
    /// The definition without its trigger.
    pub(super) policy: Arc<TaskDefinition>,
    /// Runs are dealt with up to this nominal time.
    pub(super) cursor: Timestamp,
    pub(super) next: Option<DueTime>,
    /// In a box, because most tasks depend on none.
    pub(super) upstream: Option<Box<Upstream>>,
    /// The runs that have not ended, in the order in which they were created.
    pub(super) live: BTreeSet<RunId>,
    pub(super) paused: bool,
    /// It has run because it came into service, or its plugin has been in service since.
    pub(super) started: bool,
}

/// The tasks on which a task depends.
#[derive(Debug, Default)]
pub(super) struct Upstream {
    pub(super) dependencies: Dependencies,
    /// The runs of the task that wait for them.
    pub(super) waiting: BTreeSet<RunId>,
}

impl PlannedTask {
    /// Notes that a run waits for the tasks on which this one depends.
    pub(super) fn waits(&mut self, run: RunId) {
        self.upstream.get_or_insert_default().waiting.insert(run);
    }

    /// Notes that a run waits for no task any more.
    pub(super) fn waits_no_more(&mut self, run: RunId) {
        if let Some(upstream) = &mut self.upstream {
            upstream.waiting.remove(&run);
        }
    }
}

/// How many different policies are looked through for an equal one.
const COMPARED: usize = 16;

/// The policies of tasks. Tasks that differ only in their triggers, such as the many that a plugin
/// makes for its customers, share one.
#[derive(Debug, Default)]
pub(super) struct Policies(Vec<Arc<TaskDefinition>>);

impl Policies {
    /// Makes a task that has no history.
    pub(super) fn plan(&mut self, mut definition: TaskDefinition) -> PlannedTask {
        let trigger = mem::replace(&mut definition.trigger, Trigger::Request);
        PlannedTask {
            trigger,
            policy: self.shared(definition),
            cursor: Timestamp::MIN,
            next: None,
            upstream: None,
            live: BTreeSet::new(),
            paused: false,
            started: false,
        }
    }

    fn shared(&mut self, policy: TaskDefinition) -> Arc<TaskDefinition> {
        if let Some(known) = self.0.iter().find(|it| ***it == policy) {
            return Arc::clone(known);
        }
        if self.0.len() == COMPARED {
            self.0.remove(0);
        }
        let policy = Arc::new(policy);
        self.0.push(Arc::clone(&policy));
        policy
    }
}
