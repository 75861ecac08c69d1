//! What a host lends to a plugin's component or task.

use abi_stable::{
    StableAbi, sabi_trait,
    std_types::{RBox, ROption, RResult, RSlice, RStr, RString, RVec},
};
use async_ffi::{BorrowingFfiFuture, FfiFuture};

use crate::{
    Batch, EventHeader, SchedulerError,
    abi::{FfiError, PassedFd, SharedCounter, SharedGauge},
};

/// The wait for room for the rest of a batch; `RNone` if the whole batch is published.
///
/// The host holds a copy of the rest, and publishes it while the future is polled. If the future is
/// dropped, what it has not published yet is dropped with it.
pub type PublishWait = ROption<FfiFuture<RResult<(), FfiError>>>;

/// The host, as one component or one run of a task sees it.
#[sabi_trait]
pub trait Host: Send + Sync {
    fn id(&self) -> RStr<'_>;
    fn source(&self) -> u32;
    fn config(&self) -> RStr<'_>;
    fn is_replay(&self) -> bool;
    /// The number of an output port; `RNone` if it is not connected.
    fn output(&self, port: RStr<'_>) -> ROption<u32>;
    /// The number of the next event on an output: the builds of a component count on.
    fn next_seq(&self, output: u32) -> u64;
    /// The channels that an input port is connected to.
    fn input(&self, port: RStr<'_>) -> RVec<RString>;
    fn publish(
        &self,
        output: u32,
        headers: RSlice<'_, EventHeader>,
        bytes: RSlice<'_, u8>,
    ) -> RResult<PublishWait, FfiError>;
    fn subscribe(&self, channel: RStr<'_>) -> RResult<Inbox_TO<'static, RBox<()>>, FfiError>;
    fn now_ns(&self) -> i64;
    fn sleep(&self, nanoseconds: u64) -> FfiFuture<()>;
    fn is_cancelled(&self) -> bool;
    fn cancelled(&self) -> FfiFuture<()>;
    /// The counter of this name: the same one each time, also for the next build.
    fn counter(&self, name: RStr<'_>) -> SharedCounter;
    /// The gauge of this name: the same one each time, also for the next build.
    fn gauge(&self, name: RStr<'_>) -> SharedGauge;
    fn progress(&self, done: u64, total: u64);
    #[sabi(last_prefix_field)]
    fn report(&self, section: RStr<'_>, json: RStr<'_>);
    /// Keeps a descriptor under a name, for the next build. An older host can't.
    fn keep_fd(&self, name: RStr<'_>, fd: PassedFd) -> RResult<(), FfiError> {
        let _ = (name, fd);
        let text = "this host keeps no descriptors; run a newer one".to_owned();
        RResult::RErr(SchedulerError::InvalidState(text).into())
    }
    /// Gives a descriptor away that is kept under a name.
    fn take_fd(&self, name: RStr<'_>) -> ROption<PassedFd> {
        let _ = name;
        ROption::RNone
    }
}

/// A subscription of the plugin to a channel. The queue behind it is the host's.
#[sabi_trait]
pub trait Inbox: Send + Sync {
    fn try_recv(&mut self) -> Polled;
    #[sabi(last_prefix_field)]
    fn recv(&mut self) -> BorrowingFfiFuture<'_, ROption<Batch>>;
    /// Like `try_recv`, and if there is nothing, then the task of the host that calls into the
    /// plugin on this thread is woken when there is; `RNone` if no task does. For whoever
    /// waits with the very waker of that call.
    fn poll_in_call(&mut self) -> ROption<Polled> {
        ROption::RNone
    }
    /// Ends a wait in `poll_in_call` before there was anything.
    fn stop_waiting(&mut self) {}
}

/// The result of polling an inbox.
#[derive(StableAbi)]
#[repr(u8)]
pub enum Polled {
    Batch(Batch),
    Empty,
    Ended,
}

/// The host's receiver of a plugin's `tracing` events.
#[sabi_trait]
pub trait HostLog: Send + Sync {
    /// Returns the most verbose level wanted, from 0 (none) and 1 (error) to 5 (trace).
    fn max_level(&self) -> u8;
    /// `task` is the component or task that logged, empty if none did; `fields` is JSON.
    #[sabi(last_prefix_field)]
    fn log(&self, level: u8, target: RStr<'_>, task: RStr<'_>, message: RStr<'_>, fields: RStr<'_>);
}
