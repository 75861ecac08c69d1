//! The tasks that the scheduler can run: background tasks, event tasks, and the four roles of an
//! engine.

use std::{borrow::Borrow, fmt, hash::Hash, sync::Arc};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{SavedState, SchedulerError};

/// The name of a task, unique within one scheduler. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(Arc<str>);

impl TaskId {
    /// The id with this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for TaskId {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for TaskId {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

impl Borrow<str> for TaskId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A type that names channels, usually a small enum. Implemented for every type that fits.
pub trait EventType: fmt::Debug + Clone + Hash + Eq + Send + Sync + 'static {}

impl<T: fmt::Debug + Clone + Hash + Eq + Send + Sync + 'static> EventType for T {}

/// Work that goes on by itself: a feed, a timer, a merge of several inputs.
///
/// The scheduler calls `initialize` once, then `execute` again and again as
/// long as it returns `Ok`, then `shutdown` once. Each call has `&mut self`:
/// no two run at the same time.
#[async_trait]
pub trait BackgroundTask: Send + Sync {
    /// Prepares the task: opens files, reads configuration. Called once, first.
    ///
    /// # Errors
    /// An error leaves the task failed; `execute` is never called.
    async fn initialize(&mut self) -> Result<(), SchedulerError> {
        Ok(())
    }

    /// Does one turn of the task's work.
    ///
    /// Keep a turn short: between turns the scheduler may stop the task, or a new build
    /// take over from it. A turn that is still awaiting when the grace is over is dropped
    /// at its await point; one that waits in [`Subscription::recv`](crate::Subscription::recv)
    /// is dropped at once when a new build takes over, one that publishes never. So keep
    /// in the task, not in the turn, what must not be lost.
    ///
    /// While a new build is on probation, what a turn receives is kept until the turn has ended, so
    /// that the build before can receive it again: 64 MiB, or 65,536 batches, of each channel. A
    /// turn that receives more ends the probation: the new build stays, whatever it does from then
    /// on.
    ///
    /// # Errors
    /// [`SchedulerError::Finished`] ends the task in good order: there is no
    /// more work. Any other error leaves it failed. Neither is called again.
    async fn execute(&mut self) -> Result<(), SchedulerError>;

    /// Gives the state that the next build of this component goes on with.
    ///
    /// Called when the plugin is replaced, between two turns. The component may have to
    /// go on afterwards, if the new build does not come up, so it gives a copy away and
    /// keeps what it has. In the time in which a new build is on probation it is also
    /// called after each turn: keep it quick. What a [`Publisher`](crate::Publisher) holds
    /// is no part of it: flush in the turn, or here.
    ///
    /// # Errors
    /// An error refuses the replacement; on probation it is a failure of this build.
    async fn save_state(&mut self) -> Result<Option<SavedState>, SchedulerError> {
        Ok(None)
    }

    /// Takes over the state of an earlier build. Called after the component was made and
    /// before `initialize`; also on a component in use, if a newer build that took over
    /// from it is rolled back.
    ///
    /// # Errors
    /// [`SchedulerError::State`] if this build can't read it: the replacement is refused.
    async fn restore(&mut self, state: SavedState) -> Result<(), SchedulerError> {
        Err(state.unknown("no state"))
    }

    /// Lets go of what only one build may hold: stops reading a socket, closes a database.
    ///
    /// Called on a component whose `HANDOVER` is exclusive when its
    /// plugin is replaced, after `save_state` and before the next build is made; also on a
    /// build that is rolled back, before the build before resumes. There are no turns or events
    /// meanwhile. What the next build is to take up, such as a connection, is kept by
    /// `Context::keep_fd`. It gets two seconds. Either
    /// [`resume`](Self::resume) follows, or `shutdown`.
    ///
    /// # Errors
    /// An error refuses the replacement; this build is resumed.
    async fn suspend(&mut self) -> Result<(), SchedulerError> {
        Ok(())
    }

    /// Takes up what [`suspend`](Self::suspend) let go of, because the next build did not come into
    /// service, or was rolled back; `restore` was called before if that build had handled something.
    ///
    /// # Errors
    /// An error leaves the task failed.
    async fn resume(&mut self) -> Result<(), SchedulerError> {
        Ok(())
    }

    /// Lets go of what the task holds. Called once, last, also after a failed turn.
    ///
    /// # Errors
    /// Recorded in the task's status.
    async fn shutdown(&mut self) -> Result<(), SchedulerError> {
        Ok(())
    }
}

/// Work that answers events of one channel, in their order.
///
/// `P` is the payload: `String` unless said otherwise; for plugins it is
/// [`Batch`](crate::Batch), which is shared and never copied.
#[async_trait]
pub trait EventTask<E: EventType, P: Send + 'static = String>: Send + Sync {
    /// Returns the event of the channel that this task listens to. Called once, at registration.
    fn subscribed_event(&self) -> &E;

    /// Prepares the task. Called once, before the first event.
    ///
    /// # Errors
    /// An error leaves the task failed; it never sees an event.
    async fn initialize(&mut self) -> Result<(), SchedulerError> {
        Ok(())
    }

    /// Handles the next event of the channel.
    ///
    /// # Errors
    /// An error leaves the task failed and takes it off the channel; the others go on.
    async fn handle_event(&mut self, event: P) -> Result<(), SchedulerError>;

    /// Called when the channel has ended: everything published was handled, nothing more will come.
    ///
    /// The place for what is due at the end of the data, such as closing orders:
    /// unlike in `shutdown`, everything downstream still runs. Not called when
    /// the host is stopped before the end.
    ///
    /// # Errors
    /// An error leaves the task failed.
    async fn end_of_input(&mut self) -> Result<(), SchedulerError> {
        Ok(())
    }

    /// Gives the state that the next build of this component goes on with.
    ///
    /// Called when the plugin is replaced, between two events. The component may have to
    /// go on afterwards, if the new build does not come up, so it gives a copy away and
    /// keeps what it has. In the time in which a new build is on probation it is also
    /// called after each batch: keep it quick. What a [`Publisher`](crate::Publisher) holds
    /// is no part of it: flush with the event, or here.
    ///
    /// # Errors
    /// An error refuses the replacement; on probation it is a failure of this build.
    async fn save_state(&mut self) -> Result<Option<SavedState>, SchedulerError> {
        Ok(None)
    }

    /// Takes over the state of an earlier build. Called after the component was made and
    /// before `initialize`; also on a component in use, if a newer build that took over
    /// from it is rolled back.
    ///
    /// # Errors
    /// [`SchedulerError::State`] if this build can't read it: the replacement is refused.
    async fn restore(&mut self, state: SavedState) -> Result<(), SchedulerError> {
        Err(state.unknown("no state"))
    }

    /// Lets go of what only one build may hold: stops reading a socket, closes a database.
    ///
    /// Called on a component whose `HANDOVER` is exclusive when its
    /// plugin is replaced, after `save_state` and before the next build is made; also on a
    /// build that is rolled back, before the build before resumes. There are no turns or events
    /// meanwhile. What the next build is to take up, such as a connection, is kept by
    /// `Context::keep_fd`. It gets two seconds. Either
    /// [`resume`](Self::resume) follows, or `shutdown`.
    ///
    /// # Errors
    /// An error refuses the replacement; this build is resumed.
    async fn suspend(&mut self) -> Result<(), SchedulerError> {
        Ok(())
    }

    /// Takes up what [`suspend`](Self::suspend) let go of, because the next build did not come into
    /// service, or was rolled back; `restore` was called before if that build had handled something.
    ///
    /// # Errors
    /// An error leaves the task failed.
    async fn resume(&mut self) -> Result<(), SchedulerError> {
        Ok(())
    }

    /// Lets go of what the task holds. Called once, last, also after a failure.
    ///
    /// # Errors
    /// Recorded in the task's status.
    async fn shutdown(&mut self) -> Result<(), SchedulerError> {
        Ok(())
    }
}

/// Brings events in from outside: an exchange, a file, a sensor.
pub trait Connector: BackgroundTask {}

/// Merges what the connectors bring into one ordered stream. An engine has exactly one.
pub trait Aggregator: BackgroundTask {}

/// Decides on orders from the merged stream.
pub trait Strategy<E: EventType, P: Send + 'static = String>: EventTask<E, P> {}

/// Carries out the decisions of the strategies.
pub trait Executor<E: EventType, P: Send + 'static = String>: EventTask<E, P> {}
