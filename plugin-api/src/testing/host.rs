//! The host's side of a context under test.

use std::{
    future::{Future, poll_fn},
    task::Poll,
};

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RBox, RErr, RNone, ROk, ROption, RResult, RSlice, RSome, RStr, RString, RVec},
};
use async_ffi::{BorrowingFfiFuture, FfiFuture, FutureExt};

use super::{Setup, Shared, State};
use crate::{
    Batch, EventHeader, Mode, SchedulerError,
    abi::{
        FfiError, Host, Inbox, Inbox_TO, PassedFd, Polled, PublishWait, SharedCounter, SharedGauge,
    },
    limits,
};

pub(super) struct TestHostPort {
    pub(super) setup: Setup,
    pub(super) shared: Shared,
}

impl TestHostPort {
    fn name_of(&self, output: u32) -> Option<&'static str> {
        self.setup.outputs.values().nth(output as usize).copied()
    }
}

/// Waits until `ready` finds what it looks for.
fn wait<T: Send>(
    shared: Shared,
    mut ready: impl FnMut(&mut State) -> Option<T> + Send,
) -> impl Future<Output = T> + Send {
    poll_fn(move |cx| {
        let mut state = shared.lock();
        match ready(&mut state) {
            Some(found) => Poll::Ready(found),
            None => {
                state.waiting.push(cx.waker().clone());
                Poll::Pending
            }
        }
    })
}

impl Host for TestHostPort {
    fn id(&self) -> RStr<'_> {
        RStr::from(&*self.setup.id)
    }

    fn source(&self) -> u32 {
        1
    }

    fn config(&self) -> RStr<'_> {
        RStr::from(&*self.setup.config)
    }

    fn is_replay(&self) -> bool {
        self.setup.mode == Mode::Replay
    }

    fn output(&self, port: RStr<'_>) -> ROption<u32> {
        let at = self.setup.outputs.keys().position(|name| *name == port.as_str());
        at.and_then(|at| u32::try_from(at).ok()).into()
    }

    fn next_seq(&self, _output: u32) -> u64 {
        0
    }

    fn input(&self, port: RStr<'_>) -> RVec<RString> {
        let channels = self.setup.inputs.get(port.as_str());
        channels.into_iter().flatten().map(|name| RString::from(*name)).collect()
    }

    fn publish(
        &self,
        output: u32,
        headers: RSlice<'_, EventHeader>,
        bytes: RSlice<'_, u8>,
    ) -> RResult<PublishWait, FfiError> {
        let Some(name) = self.name_of(output) else {
            let error = SchedulerError::EventSend(format!("no output number {output}"));
            return RErr(error.into());
        };
        if let Err(error) = limits::check_events(&headers) {
            return RErr(error.into());
        }
        let batch = Batch::copy_from(&headers, &bytes);
        self.shared.change(|state| {
            state.deliver(name, &batch);
            state.channel(name).published.push(batch);
        });
        ROk(RNone)
    }

    fn subscribe(&self, channel: RStr<'_>) -> RResult<Inbox_TO<'static, RBox<()>>, FfiError> {
        let name = channel.as_str();
        if !self.setup.inputs.values().flatten().any(|input| *input == name) {
            let error =
                SchedulerError::InvalidChannel(format!("{name} is not an input of this component"));
            return RErr(error.into());
        }
        let index = self.shared.change(|state| {
            let inboxes = &mut state.channel(name).inboxes;
            inboxes.push(Default::default());
            inboxes.len() - 1
        });
        let queue = Queue { shared: self.shared.clone(), channel: name.to_owned(), index };
        ROk(Inbox_TO::from_value(queue, TD_Opaque))
    }

    fn now_ns(&self) -> i64 {
        self.shared.lock().now_ns
    }

    fn sleep(&self, nanoseconds: u64) -> FfiFuture<()> {
        let duration = i64::try_from(nanoseconds).unwrap_or(i64::MAX);
        let until = self.now_ns().saturating_add(duration);
        wait(self.shared.clone(), move |state| (state.now_ns >= until).then_some(())).into_ffi()
    }

    fn is_cancelled(&self) -> bool {
        self.shared.lock().cancelled
    }

    fn cancelled(&self) -> FfiFuture<()> {
        wait(self.shared.clone(), |state| state.cancelled.then_some(())).into_ffi()
    }

    fn counter(&self, name: RStr<'_>) -> SharedCounter {
        self.shared.lock().counters.entry(name.as_str().to_owned()).or_default().clone()
    }

    fn gauge(&self, name: RStr<'_>) -> SharedGauge {
        self.shared.lock().gauges.entry(name.as_str().to_owned()).or_default().clone()
    }

    fn progress(&self, done: u64, total: u64) {
        self.shared.lock().progress = Some((done, total));
    }

    fn report(&self, section: RStr<'_>, json: RStr<'_>) {
        let row = serde_json::from_str(json.as_str()).unwrap_or_default();
        self.shared.lock().reports.push((section.as_str().to_owned(), row));
    }

    fn keep_fd(&self, name: RStr<'_>, fd: PassedFd) -> RResult<(), FfiError> {
        let fd = fd.into_owned();
        self.shared.lock().descriptors.extend(fd.map(|fd| (name.as_str().to_owned(), fd)));
        ROk(())
    }

    fn take_fd(&self, name: RStr<'_>) -> ROption<PassedFd> {
        self.shared.lock().descriptors.remove(name.as_str()).map(PassedFd::from).into()
    }
}

struct Queue {
    shared: Shared,
    channel: String,
    index: usize,
}

fn take(state: &mut State, channel: &str, index: usize) -> Polled {
    let channel = state.channel(channel);
    match channel.inboxes[index].pop_front() {
        Some(batch) => Polled::Batch(batch),
        None if channel.ended => Polled::Ended,
        None => Polled::Empty,
    }
}

impl Inbox for Queue {
    fn try_recv(&mut self) -> Polled {
        take(&mut self.shared.lock(), &self.channel, self.index)
    }

    fn recv(&mut self) -> BorrowingFfiFuture<'_, ROption<Batch>> {
        let (channel, index) = (self.channel.as_str(), self.index);
        wait(self.shared.clone(), move |state| match take(state, channel, index) {
            Polled::Batch(batch) => Some(RSome(batch)),
            Polled::Ended => Some(RNone),
            Polled::Empty => None,
        })
        .into_ffi()
    }
}
