//! An author's values, as the objects that cross.

use std::sync::Arc;

use abi_stable::std_types::{ROption, RResult, RStr, RString};
use async_ffi::FfiContext;
use serde_json::Value;

use crate::{
    Batch, ChannelName, Context, SavedState, SchedulerError, TaskFn,
    abi::{
        BackgroundObject, CallFuture, EventObject, FfiError, FfiState, RunFuture, RunObject,
        SaveFuture, Started,
    },
    guard::{self, Name},
    task::{BackgroundTask, EventTask},
};

/// A value of the author's whose destructor may panic without harm.
struct Owned<T> {
    name: Name,
    value: Option<T>,
}

impl<T> Owned<T> {
    fn new(id: Arc<str>, value: T) -> Self {
        Self { name: id.into(), value: Some(value) }
    }

    /// The name under which the value's code runs, and the value.
    fn parts(&mut self) -> (&mut Name, &mut T) {
        (&mut self.name, self.value.as_mut().expect("taken only in drop"))
    }

    fn call<'a, R: 'a>(
        &'a mut self,
        method: impl FnOnce(&'a mut T) -> guard::Boxed<'a, R>,
    ) -> guard::Crossing<'a, R> {
        let (name, value) = self.parts();
        guard::future(name, || method(value))
    }

    fn start<'a>(
        &'a mut self,
        method: impl FnOnce(&'a mut T) -> guard::Boxed<'a, ()>,
        cx: &mut FfiContext<'_>,
    ) -> Started<'a> {
        let (name, value) = self.parts();
        guard::start(name, || method(value), cx)
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        guard::drop_quietly(&mut self.name, self.value.take());
    }
}

pub(crate) struct Background<T>(Owned<T>);

impl<T> Background<T> {
    pub(crate) fn new(id: Arc<str>, task: T) -> Self {
        Self(Owned::new(id, task))
    }
}

impl<T: BackgroundTask> BackgroundObject for Background<T> {
    fn initialize(&mut self) -> CallFuture<'_> {
        self.0.call(|task| task.initialize())
    }

    fn execute<'a>(&'a mut self, cx: &mut FfiContext<'_>) -> Started<'a> {
        self.0.start(|task| task.execute(), cx)
    }

    fn save_state(&mut self) -> SaveFuture<'_> {
        self.0.call(|task| saved(task.save_state()))
    }

    fn restore(&mut self, state: FfiState) -> CallFuture<'_> {
        self.0.call(|task| task.restore(state.into()))
    }

    fn shutdown(&mut self) -> CallFuture<'_> {
        self.0.call(|task| task.shutdown())
    }

    fn suspend(&mut self) -> CallFuture<'_> {
        self.0.call(|task| task.suspend())
    }

    fn resume(&mut self) -> CallFuture<'_> {
        self.0.call(|task| task.resume())
    }
}

pub(crate) struct Events<T> {
    channel: ChannelName,
    task: Owned<T>,
}

impl<T: EventTask<ChannelName, Batch>> Events<T> {
    pub(crate) fn new(id: Arc<str>, task: T) -> Self {
        let channel = task.subscribed_event().clone();
        Self { channel, task: Owned::new(id, task) }
    }
}

impl<T: EventTask<ChannelName, Batch>> EventObject for Events<T> {
    fn channel(&self) -> RStr<'_> {
        RStr::from(self.channel.as_str())
    }

    fn initialize(&mut self) -> CallFuture<'_> {
        self.task.call(|task| task.initialize())
    }

    fn handle_event<'a>(&'a mut self, batch: Batch, cx: &mut FfiContext<'_>) -> Started<'a> {
        self.task.start(|task| task.handle_event(batch), cx)
    }

    fn end_of_input(&mut self) -> CallFuture<'_> {
        self.task.call(|task| task.end_of_input())
    }

    fn save_state(&mut self) -> SaveFuture<'_> {
        self.task.call(|task| saved(task.save_state()))
    }

    fn restore(&mut self, state: FfiState) -> CallFuture<'_> {
        self.task.call(|task| task.restore(state.into()))
    }

    fn shutdown(&mut self) -> CallFuture<'_> {
        self.task.call(|task| task.shutdown())
    }

    fn suspend(&mut self) -> CallFuture<'_> {
        self.task.call(|task| task.suspend())
    }

    fn resume(&mut self) -> CallFuture<'_> {
        self.task.call(|task| task.resume())
    }
}

fn saved<'a>(saving: guard::Boxed<'a, Option<SavedState>>) -> guard::Boxed<'a, ROption<FfiState>> {
    Box::pin(async move { Ok(saving.await?.map(FfiState::from).into()) })
}

/// One run of a task or of a task kind.
pub(crate) struct Run {
    /// The id of the run, under which its code logs; that of the task if the host gave none.
    id: Arc<str>,
    function: TaskFn,
    context: Context,
}

impl Run {
    pub(crate) fn new(function: TaskFn, context: Context) -> Self {
        let id = context.run().map_or(context.id(), |run| &run.id).into();
        Self { id, function, context }
    }

    fn wrong_kind(asked: &str) -> SchedulerError {
        SchedulerError::InvalidState(format!("the task's function is not {asked}"))
    }
}

impl RunObject for Run {
    fn run(&self) -> RunFuture<'_> {
        guard::future(&mut Arc::clone(&self.id).into(), || {
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
