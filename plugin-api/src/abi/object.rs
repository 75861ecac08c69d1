//! Objects that a plugin makes and its host drives.

use abi_stable::{
    StableAbi, sabi_trait,
    std_types::{RBox, ROption, RResult, RStr, RString, RVec},
};
use async_ffi::{BorrowingFfiFuture, FfiContext};

use crate::{
    Batch, SavedState, SchedulerError,
    limits::{self, cut},
};

/// A call in progress inside a plugin.
pub type CallFuture<'a> = BorrowingFfiFuture<'a, RResult<(), FfiError>>;

/// How far a call came by the first poll of its future, which happens inside the call:
/// a call that is over then has no future that would have to cross.
#[derive(StableAbi)]
#[repr(u8)]
pub enum Started<'a> {
    Done(RResult<(), FfiError>),
    /// The future has been polled with the context of the call, and keeps its waker.
    Pending(CallFuture<'a>),
}

/// A [`SchedulerError`] on its way across. The receiver copies the message at once.
#[derive(Debug, Clone, StableAbi)]
#[repr(C)]
pub struct FfiError {
    code: u32,
    message: RString,
}

impl From<SchedulerError> for FfiError {
    fn from(error: SchedulerError) -> Self {
        use SchedulerError as E;
        let (code, message) = match error {
            E::TaskInitialization(message) => (1, message),
            E::TaskExecution(message) => (2, message),
            E::TaskShutdown(message) => (3, message),
            E::TaskPanicked(message) => (4, message),
            E::InvalidChannel(message) => (5, message),
            E::EventSend(message) => (6, message),
            E::EventReceive(message) => (7, message),
            E::Configuration(message) => (8, message),
            E::TaskNotFound(id) => (9, id.to_string()),
            E::DuplicateTask(id) => (10, id.to_string()),
            E::InvalidState(message) => (11, message),
            E::Finished => (12, String::new()),
            E::State(message) => (13, message),
        };
        Self { code, message: message.into() }
    }
}

impl From<FfiError> for SchedulerError {
    fn from(error: FfiError) -> Self {
        // A copy of the text: the memory of `RString` may belong to a plugin.
        let message = cut(&error.message, limits::TEXT);
        match error.code {
            1 => Self::TaskInitialization(message),
            3 => Self::TaskShutdown(message),
            4 => Self::TaskPanicked(message),
            5 => Self::InvalidChannel(message),
            6 => Self::EventSend(message),
            7 => Self::EventReceive(message),
            8 => Self::Configuration(message),
            9 => Self::TaskNotFound(message.into()),
            10 => Self::DuplicateTask(message.into()),
            11 => Self::InvalidState(message),
            12 => Self::Finished,
            13 => Self::State(message),
            _ => Self::TaskExecution(message),
        }
    }
}

/// A [`SavedState`] on its way across. The receiver copies the bytes at once.
#[derive(Debug, Clone, StableAbi)]
#[repr(C)]
pub struct FfiState {
    version: u32,
    bytes: RVec<u8>,
}

impl From<SavedState> for FfiState {
    fn from(state: SavedState) -> Self {
        Self { version: state.version, bytes: state.bytes.into() }
    }
}

impl From<FfiState> for SavedState {
    fn from(state: FfiState) -> Self {
        // A copy: the memory of `RVec` may belong to a plugin.
        Self { version: state.version, bytes: state.bytes.as_slice().to_vec() }
    }
}

impl FfiState {
    /// Copies the state out of the plugin's memory, for a host.
    ///
    /// # Errors
    /// If it is larger than [`limits::STATE`].
    pub fn take(self) -> Result<SavedState, SchedulerError> {
        if self.bytes.len() <= limits::STATE {
            return Ok(self.into());
        }
        Err(SchedulerError::State(format!(
            "it has {} bytes, and a component hands over {} at most",
            self.bytes.len(),
            limits::STATE
        )))
    }
}

fn nothing_to_do<'a>() -> CallFuture<'a> {
    BorrowingFfiFuture::new(async { RResult::ROk(()) })
}

/// A component's state being saved.
pub type SaveFuture<'a> = BorrowingFfiFuture<'a, RResult<ROption<FfiState>, FfiError>>;

/// A connector or aggregator of a plugin.
#[sabi_trait]
pub trait BackgroundObject: Send + Sync {
    fn initialize(&mut self) -> CallFuture<'_>;
    fn execute<'a>(&'a mut self, cx: &mut FfiContext<'_>) -> Started<'a>;
    fn save_state(&mut self) -> SaveFuture<'_>;
    fn restore(&mut self, state: FfiState) -> CallFuture<'_>;
    #[sabi(last_prefix_field)]
    fn shutdown(&mut self) -> CallFuture<'_>;
    /// An older plugin has nothing that it would let go of.
    fn suspend(&mut self) -> CallFuture<'_> {
        nothing_to_do()
    }
    fn resume(&mut self) -> CallFuture<'_> {
        nothing_to_do()
    }
}

/// A strategy or executor of a plugin.
#[sabi_trait]
pub trait EventObject: Send + Sync {
    fn channel(&self) -> RStr<'_>;
    fn initialize(&mut self) -> CallFuture<'_>;
    fn handle_event<'a>(&'a mut self, batch: Batch, cx: &mut FfiContext<'_>) -> Started<'a>;
    fn end_of_input(&mut self) -> CallFuture<'_>;
    fn save_state(&mut self) -> SaveFuture<'_>;
    fn restore(&mut self, state: FfiState) -> CallFuture<'_>;
    #[sabi(last_prefix_field)]
    fn shutdown(&mut self) -> CallFuture<'_>;
    /// An older plugin has nothing that it would let go of.
    fn suspend(&mut self) -> CallFuture<'_> {
        nothing_to_do()
    }
    fn resume(&mut self) -> CallFuture<'_> {
        nothing_to_do()
    }
}

/// A run in progress inside a plugin. Its result is JSON, which the receiver copies at once.
pub type RunFuture<'a> = BorrowingFfiFuture<'a, RResult<RString, FfiError>>;

/// One run of a task or of a task kind. The manifest says which of the two to call.
#[sabi_trait]
pub trait RunObject: Send + Sync {
    fn run(&self) -> RunFuture<'_>;
    #[sabi(last_prefix_field)]
    fn run_blocking(&self) -> RResult<RString, FfiError>;
}

/// The object that `create_component` returns.
#[derive(StableAbi)]
#[repr(u8)]
pub enum ComponentObject {
    Background(BackgroundObject_TO<'static, RBox<()>>),
    Event(EventObject_TO<'static, RBox<()>>),
}
