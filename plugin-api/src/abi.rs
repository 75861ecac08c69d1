//! The types that cross between a host and a plugin. Authors don't need them.
//!
//! Everything here is `StableAbi`: its layout is checked when a library is
//! loaded, whatever compiler built it. Traits cross as `sabi_trait` objects,
//! futures as those of `async-ffi`, manifests and configurations as JSON.
//!
//! # The window
//!
//! Within one [`API_VERSION`], a plugin that was built with an older SDK runs in a newer
//! host. So these types grow by the following rules only; any other change is a new version.
//!
//! * *Functions of a plugin*, in [`PluginModule`]: append behind the field that is marked
//!   `last_prefix_field`, which stays where it is. The accessor of an appended field gives
//!   an `Option`; the host says what it does for a plugin without that function. A field
//!   never panics if it is missing.
//! * *Methods of a plugin's objects*, in [`BackgroundObject`], [`EventObject`] and
//!   [`RunObject`]: append behind `last_prefix_field`, with a default body. The host runs
//!   that body for an object of an older plugin, so the body must do what hosts did before.
//! * *Methods that a host lends*, in [`Host`], [`Inbox`] and [`HostLog`]: the same. An older
//!   plugin does not call them. The default body runs for a newer plugin in an older host.
//! * *Structs and enums by value*, such as [`FfiError`], [`Polled`], [`Started`] and
//!   [`SharedCounter`], are frozen.
//! * *Data as JSON*, in [`spec`](crate::spec): a field may be added if its absence means what
//!   hosts did before. What a host does not understand and would change what it ought to do
//!   makes it refuse the task, and name the field; see [`TaskSpec`](crate::spec::TaskSpec).
//! * The package's version stays within one minor number of `0.x`, and `abi_stable` within
//!   one of its own: the loader's layout check refuses others.
//!
//! The loader compares the layouts both ways, since abi_stable lets only one of two be the
//! longer. `.ci/abi-window` builds plugins with the oldest supported SDK and runs them.

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
mod fd;
mod host;
mod meter;
mod module;
mod object;
mod static_dispatch;

pub use descriptor::{API_VERSION, DESCRIPTOR_SECTION, Descriptor, DescriptorText, ENTRY_PREFIX};
pub use fd::PassedFd;
pub use host::{Host, Host_TO, HostLog, HostLog_TO, Inbox, Inbox_TO, Polled, PublishWait};
pub use meter::{SharedCounter, SharedGauge};
pub use module::{ConfigProblem, LibraryHeader, PluginModule, PluginRef};
pub(crate) use module::{GivesModule, library_header};
pub use object::{
    BackgroundObject, BackgroundObject_TO, CallFuture, ComponentObject, EventObject,
    EventObject_TO, FfiError, FfiState, RunFuture, RunObject, RunObject_TO, SaveFuture, Started,
};
pub(crate) use static_dispatch::dispatch_to;
