//! The event bus, the task drivers and the engine of Hotbay, for programs that bring
//! their own tasks.
//!
//! Nothing here knows about plugins: a task of a loaded plugin and one that is linked in
//! are both a [`BackgroundTask`] or an [`EventTask`].

#![forbid(unsafe_code)]

pub mod bus;
pub mod engine;
pub mod scheduler;

/// A time limit that no process outlives. It takes the place of longer limits, because those can
/// not be added to the present time.
pub const FOREVER: std::time::Duration = std::time::Duration::from_secs(100 * 365 * 24 * 60 * 60);

pub use bus::{EventBus, EventReceiver, EventSender, Payload};
pub use engine::{ComponentOptions, TradingEngine, TradingEngineBuilder};
pub use hotbay_plugin_api::{
    Aggregator, BackgroundTask, ChannelConfig, Connector, EventTask, EventType, Executor, Overflow,
    SchedulerError, Strategy, TaskId, TradingEngineError,
};
pub use scheduler::driver;
pub use scheduler::{
    ExecutionStatus, Scheduler, ShutdownLimits, ShutdownReport, TaskInfo, TaskOptions, TaskRegistry,
};
