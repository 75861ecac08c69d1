//! What a plugin and its host tell each other as plain data.
//!
//! Everything here crosses as JSON, so that it can grow: nothing depends on `abi_stable`.

mod manifest;

pub use manifest::{
    ComponentManifest, Manifest, PortManifest, TaskKind, TaskManifest, Unsupported,
};
