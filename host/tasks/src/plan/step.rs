//! What goes into the plan, and what comes out of it.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    AttemptOutcome, DependencyEdge, LiveRun, MissedRuns, RunCause, RunCounts, RunId, RunOutcome,
    RunState, StopReason, StoredTask, TaskDefinition,
};

/// The time of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// The time of the system's clock, which may be set.
    pub now: Timestamp,
    /// The time since the plan was made, by a clock that is never set and stands still while the
    /// system sleeps.
    pub uptime: Duration,
}

/// Something that the plan has to know.
#[derive(Debug, Clone, PartialEq)]
pub enum PlanEvent {
    /// A task is defined, for the first time or anew.
    Define {
        /// The id of the task.
        task: Arc<str>,
        /// When the task runs, and within which limits.
        definition: Box<TaskDefinition>,
        /// What is stored of it; `None` if it is new. It has no effect on a task that is defined.
        stored: Option<StoredTask>,
    },
    /// A task is defined no more.
    Remove {
        /// The id of the task.
        task: Arc<str>,
    },
    /// A plugin has a build in service, or has none any more.
    Service {
        /// The name of the plugin.
        plugin: Arc<str>,
        /// Tells if runs may begin.
        is_there: bool,
    },
    /// A task is paused or resumed. A paused task has no runs but those under way.
    Pause {
        /// The id of the task.
        task: Arc<str>,
        /// Tells if it is paused.
        paused: bool,
    },
    /// What has to be stored can't be stored now, or it can again. Meanwhile, nothing new begins of
    /// the tasks that are stored.
    Hold {
        /// Tells if it can't be stored.
        held: bool,
    },
    /// Somebody asks for a run, or an event of a channel does.
    Request {
        /// The id of the task.
        task: Arc<str>,
        /// The number of the request, by which its answer is found.
        request: u64,
        /// The channel whose event asks for the run; `None` if somebody does.
        channel: Option<Arc<str>>,
        /// The run takes place whatever the overlap policy says, and without its dependencies.
        forced: bool,
    },
    /// Somebody asks for a run to stop.
    Cancel {
        /// The number of the run.
        run: RunId,
    },
    /// An attempt has ended.
    Ended {
        /// The number of the run.
        run: RunId,
        /// How the attempt ended.
        outcome: AttemptOutcome,
    },
    /// A run must not take place, because a run of its nominal time has taken place.
    Duplicate {
        /// The number of the run.
        run: RunId,
    },
    /// A run that was asked to stop does not.
    Unresponsive {
        /// The number of the run.
        run: RunId,
    },
    /// Time has passed.
    Tick,
}

/// A change of what is stored.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A run was created.
    Created {
        /// The number of the run.
        run: RunId,
        /// What is known of it.
        live: LiveRun,
    },
    /// A run is in another state.
    State {
        /// The number of the run.
        run: RunId,
        /// The state in which the run is now.
        state: RunState,
        /// The counts of its attempts.
        counts: RunCounts,
    },
    /// A run has ended.
    Ended {
        /// The number of the run.
        run: RunId,
        /// How the run ended.
        outcome: RunOutcome,
    },
    /// A run that was due does not take place.
    Skipped {
        /// The number under which this is recorded. No run has it.
        run: RunId,
        /// The id of the task.
        task: Arc<str>,
        /// Why it would have been created.
        cause: RunCause,
        /// Why it does not take place.
        reason: SkipReason,
    },
    /// Runs were missed.
    Missed {
        /// The id of the task.
        task: Arc<str>,
        /// The number and the times of these runs.
        missed: MissedRuns,
    },
    /// The runs of a task are dealt with up to this nominal time.
    Cursor {
        /// The id of the task.
        task: Arc<str>,
        /// The nominal time of the last run that was dealt with.
        cursor: Timestamp,
    },
    /// The clock was set back far, and the schedule of a task goes on from this time. Each later
    /// nominal time comes again, and has a run again.
    Reset {
        /// The id of the task.
        task: Arc<str>,
        /// The time up to which the runs of the task are dealt with.
        cursor: Timestamp,
    },
    /// The dependencies of a task have changed.
    Edges {
        /// The id of the task.
        task: Arc<str>,
        /// The edges as they are now, one for each upstream task.
        edges: Vec<DependencyEdge>,
    },
}

/// Why a run that was due does not take place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SkipReason {
    /// This run of the task has not ended.
    Overlap(RunId),
    /// The task is paused.
    Paused,
    /// There is no such task.
    Unknown,
}

impl SkipReason {
    /// Returns the run that is in the way.
    pub fn in_the_way(&self) -> Option<RunId> {
        match self {
            Self::Overlap(run) => Some(*run),
            Self::Paused | Self::Unknown => None,
        }
    }
}

/// Something that has to be done once the changes of the step are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Begin an attempt.
    Start {
        /// The number of the run.
        run: RunId,
        /// The id of its task.
        task: Arc<str>,
        /// The number of the attempt, from 1.
        attempt: u32,
    },
    /// Ask a run to stop.
    Stop {
        /// The number of the run.
        run: RunId,
        /// Why the run is asked to stop.
        reason: StopReason,
    },
}

/// What a step of the plan results in.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Step {
    /// What has to be stored, all at once.
    pub changes: Vec<Change>,
    /// What has to be done then.
    pub effects: Vec<Effect>,
}
