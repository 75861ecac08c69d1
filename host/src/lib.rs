//! Hotbay, the library: an event bus, a scheduler and trading engines for programs
//! that bring their own tasks, load them as plugins, or both.

pub mod app;
pub mod bus;
pub mod config;
pub mod engine;
pub mod plugin;
pub mod reload;
pub mod scheduler;

pub use bus::{EventBus, EventReceiver, EventSender, Payload};
pub use engine::{ComponentOptions, TradingEngine, TradingEngineBuilder};
pub use hotbay_plugin_api::{
    Aggregator, BackgroundTask, ChannelConfig, Connector, EventTask, EventType, Executor, Overflow,
    SchedulerError, Strategy, TaskId, TradingEngineError,
};
pub use scheduler::{
    ExecutionStatus, Scheduler, ShutdownLimits, ShutdownReport, TaskInfo, TaskOptions, TaskRegistry,
};
