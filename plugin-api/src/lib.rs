//! What a Hotbay plugin is written against.
//!
//! A plugin is a crate with `crate-type = ["cdylib"]` that implements the traits
//! below in plain `#[async_trait]` style, lists its tasks in a `PLUGIN_TASKS`
//! manifest, and exports both with one macro. This is a whole plugin:
//!
//! ```
//! use std::time::Duration;
//!
//! use hotbay_plugin_api::prelude::*;
//!
//! // A task: an async function that runs at start and then every minute.
//! async fn greet(context: Context) -> Result<(), SchedulerError> {
//!     tracing::info!(at = context.now_ns(), "hello from a plugin");
//!     Ok(())
//! }
//!
//! const PLUGIN_TASKS: &[PluginTask] = &[PluginTask {
//!     interval: Some(Duration::from_secs(60)),
//!     ..PluginTask::new("greet", run_async!(greet))
//! }];
//!
//! // A component: a connector that publishes a number on each turn.
//! struct Counter { out: Publisher, next: u64 }
//!
//! impl Component for Counter {
//!     type Config = NoConfig;
//!     const OUTPUTS: &'static [Port] = &[Port::required("numbers", "1, 2, 3, …")];
//!     fn create(_: NoConfig, context: Context) -> Result<Self, SchedulerError> {
//!         Ok(Self { out: context.publisher("numbers")?, next: 0 })
//!     }
//! }
//!
//! #[async_trait]
//! impl BackgroundTask for Counter {
//!     async fn execute(&mut self) -> Result<(), SchedulerError> {
//!         self.next += 1;
//!         self.out.send_bytes(self.next as i64, Kind::BYTES, &self.next.to_le_bytes()).await
//!     }
//! }
//! impl Connector for Counter {}
//!
//! export_plugin! { tasks: PLUGIN_TASKS, components: [connector::<Counter>("counter")] }
//! # fn main() {}
//! ```
//!
//! The lifecycle of a component: `Component::create`, then `initialize`, then
//! turns or events, then (for a task on a channel that ended) `end_of_input`,
//! then `shutdown`. A panic in any of them is a failure of that component alone.
//!
//! A configuration is any type that derives `serde::Deserialize` and
//! `schemars::JsonSchema`; add both crates to the plugin's own dependencies. Its
//! `#[derive]`s check what `hotbay validate` is told, and `hotbay plugin inspect` shows it.
//!
//! [`testing::TestHost`] runs a component inside an ordinary unit test, without
//! a host process. With the feature `tokio`, `tokio::time::sleep`, sockets and
//! `tokio::spawn` work inside a plugin.

pub mod abi;
mod batch;
mod channel;
mod component;
mod context;
mod error;
mod export;
mod guard;
mod log_bridge;
mod manifest;
mod object;
mod plugin_task;
mod publisher;
#[cfg(feature = "tokio")]
mod runtime;
mod state;
mod subscription;
mod task;
pub mod testing;

pub use async_trait::async_trait;
pub use batch::{Batch, Event, EventHeader, EventRef, Kind};
pub use channel::{ChannelConfig, Overflow};
pub use component::{
    ChannelName, Component, NoConfig, Port, aggregator, connector, executor, strategy,
};
pub use context::{Context, Counter, Gauge, Mode};
pub use error::{SchedulerError, TradingEngineError};
pub use export::{ComponentExport, Exports};
pub use manifest::{
    ComponentManifest, Manifest, PortManifest, Role, TaskKind, TaskManifest, Unsupported,
};
pub use plugin_task::{PluginTask, Priority, TaskFn, TaskFuture};
pub use publisher::Publisher;
pub use schemars::JsonSchema;
pub use state::SavedState;
pub use subscription::{Subscription, TryRecvError};
pub use task::{
    Aggregator, BackgroundTask, Connector, EventTask, EventType, Executor, Strategy, TaskId,
};

/// Everything that a plugin's source usually needs.
pub mod prelude {
    pub use crate::{
        Aggregator, BackgroundTask, Batch, ChannelName, Component, Connector, Context, Event,
        EventTask, Executor, JsonSchema, Kind, Mode, NoConfig, PluginTask, Port, Priority,
        Publisher, SavedState, SchedulerError, Strategy, Subscription, TaskId, aggregator,
        async_trait, connector, executor, export_plugin, run_async, run_sync, strategy,
    };
}

/// What the export macro's expansion refers to; not for authors.
#[doc(hidden)]
pub mod __private {
    pub use abi_stable;

    pub use crate::export::{Exported, header, plugin};
}
