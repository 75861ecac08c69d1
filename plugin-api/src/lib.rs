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
//!     schedule: Schedule::Every(Duration::from_secs(60)),
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
//! # Features
//!
//! * `abi` (on by default) is what a plugin needs: the types that cross, the export macro,
//!   [`Context`] and [`testing`]. It includes `spec`.
//! * `spec` has the plain serde data that a plugin and its host tell each other, in [`spec`].
//! * `tokio` gives a plugin a tokio runtime of its own.
//!
//! Without any of them the crate has only the traits and plain types that a scheduler and
//! an event bus are written against, for programs that load no plugins.
//!
//! What travels between components are [`Event`]s: any serde type with one derive, or the bytes
//! of a type whose layout is fixed. A port that names its types, as in
//! `Port::required("quotes", "…").of::<Quote>()`, is connected to ports with one of them only.
//!
//! What a host takes from a plugin is bounded: see [`limits`].
//!
//! [`testing::TestHost`] runs a component inside an ordinary unit test, without
//! a host process. With the feature `tokio`, `tokio::time::sleep`, sockets and
//! `tokio::spawn` work inside a plugin.

// The derive macros name this crate from outside, also where its own tests use them.
#[cfg(all(test, feature = "abi"))]
extern crate self as hotbay_plugin_api;

#[cfg(feature = "abi")]
pub mod abi;
#[cfg(feature = "abi")]
mod batch;
mod channel;
#[cfg(feature = "abi")]
mod component;
#[cfg(feature = "abi")]
mod context;
#[cfg(feature = "abi")]
mod descriptors;
mod error;
#[cfg(feature = "abi")]
mod event;
#[cfg(feature = "abi")]
mod export;
#[cfg(feature = "abi")]
mod guard;
#[cfg(feature = "abi")]
pub mod limits;
#[cfg(feature = "abi")]
mod log_bridge;
#[cfg(feature = "abi")]
mod object;
mod payload;
#[cfg(feature = "abi")]
mod plugin_task;
#[cfg(feature = "abi")]
mod publisher;
mod role;
#[cfg(feature = "tokio")]
mod runtime;
#[cfg(feature = "spec")]
pub mod spec;
mod state;
#[cfg(feature = "abi")]
mod subscription;
#[cfg(feature = "abi")]
mod subscriptions;
mod task;
#[cfg(feature = "abi")]
mod task_fn;
#[cfg(feature = "abi")]
pub mod testing;

pub use async_trait::async_trait;
pub use channel::{ChannelConfig, ChannelName, Overflow};
pub use error::{SchedulerError, TradingEngineError};
pub use payload::Payload;
pub use role::Role;
#[cfg(feature = "spec")]
pub use spec::{
    Backoff, ComponentManifest, Durability, EventTypeSpec, FunctionKind, Handover, Manifest,
    Misfire, OnDependencyFailure, Overlap, PortManifest, Priority, RunInfo, Schedule, TaskKindSpec,
    TaskSpec,
};
pub use state::SavedState;
pub use task::{
    Aggregator, BackgroundTask, Connector, EventTask, EventType, Executor, Strategy, TaskId,
};

#[cfg(feature = "abi")]
pub use {
    batch::{Batch, EventHeader, EventRef},
    component::{Component, NoConfig, Port, aggregator, connector, executor, strategy},
    context::{Context, Counter, Gauge, Mode},
    event::{Event, EventDescription, EventTypes, Kind},
    export::{ComponentExport, Exports},
    hotbay_plugin_api_macros::Event,
    plugin_task::{PluginTask, PluginTaskKind, SchemaFn, TaskSettings, schema_of, settings_of},
    publisher::Publisher,
    schemars::JsonSchema,
    subscription::{Subscription, TryRecvError},
    subscriptions::{Received, Subscriptions},
    task_fn::{RunResult, TaskFn, TaskFuture},
};

/// Everything that a plugin's source usually needs.
#[cfg(feature = "abi")]
pub mod prelude {
    pub use crate::{
        Aggregator, BackgroundTask, Backoff, Batch, ChannelName, Component, Connector, Context,
        Counter, Event, EventTask, Executor, Gauge, Handover, JsonSchema, Kind, Misfire, Mode,
        NoConfig, OnDependencyFailure, Overlap, PluginTask, PluginTaskKind, Port, Priority,
        Publisher, SavedState, Schedule, SchedulerError, Strategy, Subscription, Subscriptions,
        TaskId, aggregator, async_trait, connector, executor, export_plugin, run_async, run_sync,
        schema_of, settings_of, strategy,
    };
}

/// Items that the expansion of the export macro refers to. They are not for authors.
#[cfg(feature = "abi")]
#[doc(hidden)]
pub mod __private {
    pub use abi_stable;

    pub use crate::{
        event::{decode_fixed, decode_serde, encode_fixed, encode_serde},
        export::{Exported, header, plugin},
        task_fn::run_result,
    };
}
