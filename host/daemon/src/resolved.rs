//! A component of the configuration, resolved against its plugin.

use hotbay_config::{Role, StatePolicy};
use hotbay_runtime::Connections;
use serde_json::Value;

/// One component of the pipeline, resolved against its plugin.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedComponent {
    pub(crate) role: Role,
    pub(crate) id: String,
    pub(crate) plugin: String,
    /// The component's name in the plugin.
    pub(crate) component: String,
    pub(crate) connections: Connections,
    pub(crate) config: Value,
    pub(crate) state: StatePolicy,
}

impl ResolvedComponent {
    /// Returns `true` if the component has to be made again to become `other`.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        self.component != other.component
            || self.connections != other.connections
            || self.config != other.config
    }
}
