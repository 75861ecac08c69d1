//! The types that cross between a host and a plugin. Authors don't need them.
//!
//! Everything here is `StableAbi`: its layout is checked when a library is
//! loaded, whatever compiler built it. Traits cross as `sabi_trait` objects,
//! futures as those of `async-ffi`, manifests and configurations as JSON.

#![expect(unsafe_code, reason = "abi_stable's derives write the unsafe glue of the ABI")]
#![expect(missing_docs, reason = "sabi_trait makes public items that can't carry docs")]
#![allow(
    missing_debug_implementations,
    non_local_definitions,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::missing_safety_doc,
    clippy::multiple_unsafe_ops_per_block,
    clippy::allow_attributes_without_reason,
    reason = "written by abi_stable's derive macros, not by us"
)]

mod descriptor;
mod host;
mod meter;
mod module;
mod object;

pub use descriptor::{API_VERSION, DESCRIPTOR_SECTION, Descriptor, DescriptorText, ENTRY_PREFIX};
pub use host::{Host, Host_TO, HostLog, HostLog_TO, Inbox, Inbox_TO, Polled, PublishWait};
pub use meter::{SharedCounter, SharedGauge};
pub(crate) use module::library_header;
pub use module::{ConfigProblem, LibraryHeader, PluginModule, PluginRef};
pub use object::{
    BackgroundObject, BackgroundObject_TO, CallFuture, ComponentObject, EventObject,
    EventObject_TO, FfiError, FfiState, RunObject, RunObject_TO, SaveFuture, Started,
};
