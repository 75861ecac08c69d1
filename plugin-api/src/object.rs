//! An author's values, as the objects that cross.

use std::sync::Arc;

use abi_stable::std_types::{ROption, RResult, RStr, RString};
use serde_json::Value;

use crate::{
    Batch, ChannelName, Context, SavedState, SchedulerError, TaskFn,
    abi::{
        BackgroundObject, CallFuture, EventObject, FfiError, FfiState, RunFuture, RunObject,
        SaveFuture,
    },
    guard,
    task::{BackgroundTask, EventTask},
};

/// A value of the author's whose destructor may panic without harm.
struct Owned<T> {
    id: Arc<str>,
    value: Option<T>,
}

impl<T> Owned<T> {
    fn get(&mut self) -> &mut T {
        self.value.as_mut().expect("taken only in drop")
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        guard::drop_quietly(&self.id, self.value.take());
    }
}

pub(crate) struct Background<T>(Owned<T>);

impl<T> Background<T> {
    pub(crate) fn new(id: Arc<str>, task: T) -> Self {
        Self(Owned { id, value: Some(task) })
    }
}

impl<T: BackgroundTask> BackgroundObject for Background<T> {
    fn initialize(&mut self) -> CallFuture<'_> {
        let id = Arc::clone(&self.0.id);
        guard::future(&id, || self.0.get().initialize())
    }

    fn execute(&mut self) -> CallFuture<'_> {
        let id = Arc::clone(&self.0.id);
        guard::future(&id, || self.0.get().execute())
    }

    fn save_state(&mut self) -> SaveFuture<'_> {
        let id = Arc::clone(&self.0.id);
        guard::future(&id, || saved(self.0.get().save_state()))
    }

    fn restore(&mut self, state: FfiState) -> CallFuture<'_> {
        let id = Arc::clone(&self.0.id);
        guard::future(&id, || self.0.get().restore(state.into()))
    }

    fn shutdown(&mut self) -> CallFuture<'_> {
        let id = Arc::clone(&self.0.id);
        guard::future(&id, || self.0.get().shutdown())
    }
}

pub(crate) struct Events<T> {
    channel: ChannelName,
    task: Owned<T>,
}

impl<T: EventTask<ChannelName, Batch>> Events<T> {
    pub(crate) fn new(id: Arc<str>, task: T) -> Self {
        let channel = task.subscribed_event().clone();
        Self { channel, task: Owned { id, value: Some(task) } }
    }
}

impl<T: EventTask<ChannelName, Batch>> EventObject for Events<T> {
    fn channel(&self) -> RStr<'_> {
        RStr::from(self.channel.as_str())
    }

    fn initialize(&mut self) -> CallFuture<'_> {
        let id = Arc::clone(&self.task.id);
        guard::future(&id, || self.task.get().initialize())
    }

    fn handle_event(&mut self, batch: Batch) -> CallFuture<'_> {
        let id = Arc::clone(&self.task.id);
        guard::future(&id, || self.task.get().handle_event(batch))
    }

    fn end_of_input(&mut self) -> CallFuture<'_> {
        let id = Arc::clone(&self.task.id);
        guard::future(&id, || self.task.get().end_of_input())
    }

    fn save_state(&mut self) -> SaveFuture<'_> {
        let id = Arc::clone(&self.task.id);
        guard::future(&id, || saved(self.task.get().save_state()))
    }

    fn restore(&mut self, state: FfiState) -> CallFuture<'_> {
        let id = Arc::clone(&self.task.id);
        guard::future(&id, || self.task.get().restore(state.into()))
    }

    fn shutdown(&mut self) -> CallFuture<'_> {
        let id = Arc::clone(&self.task.id);
        guard::future(&id, || self.task.get().shutdown())
    }
}

fn saved<'a>(saving: guard::Boxed<'a, Option<SavedState>>) -> guard::Boxed<'a, ROption<FfiState>> {
    Box::pin(async move { Ok(saving.await?.map(FfiState::from).into()) })
}

/// One run of a task or of a task kind.
pub(crate) struct Run {
    id: Arc<str>,
    function: TaskFn,
    context: Context,
}

impl Run {
    pub(crate) fn new(function: TaskFn, context: Context) -> Self {
        Self { id: context.id().into(), function, context }
    }

    fn wrong_kind(asked: &str) -> SchedulerError {
        SchedulerError::InvalidState(format!("the task's function is not {asked}"))
    }
}

impl RunObject for Run {
    fn run(&self) -> RunFuture<'_> {
        guard::future(&self.id, || {
            let result = match self.function {
                TaskFn::Async(function) => function(self.context.clone()),
                TaskFn::Sync(_) => Box::pin(async { Err(Self::wrong_kind("async")) }),
            };
            Box::pin(async move { result.await.map(json) })
        })
    }

    fn run_blocking(&self) -> RResult<RString, FfiError> {
        guard::call(&self.id, || match self.function {
            TaskFn::Sync(function) => function(self.context.clone()).map(json),
            TaskFn::Async(_) => Err(Self::wrong_kind("sync")),
        })
        .map_err(FfiError::from)
        .into()
    }
}

fn json(result: Value) -> RString {
    result.to_string().into()
}
