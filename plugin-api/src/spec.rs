//! What a plugin and its host tell each other as plain data.
//!
//! Everything here crosses as JSON, so that it can grow: nothing depends on `abi_stable`.

mod event_type;
mod manifest;

pub use event_type::EventTypeSpec;
pub use manifest::{
    ComponentManifest, Manifest, PortManifest, TaskKind, TaskManifest, Unsupported,
};
