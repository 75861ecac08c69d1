//! What the configuration means, once it was held against the plugins.

use hotbay_config::{Role, StatePolicy};
use hotbay_runtime::Connections;
use serde_json::Value;

use super::pipeline::Member;

/// One component of the pipeline.
#[derive(Debug, Clone)]
pub(super) struct Wired {
    pub(super) role: Role,
    pub(super) id: String,
    pub(super) plugin: String,
    /// Its name in the plugin.
    pub(super) component: String,
    pub(super) connections: Connections,
    pub(super) config: Value,
    pub(super) state: StatePolicy,
}

impl Wired {
    /// Whether it takes this member's place, and not that of another with its name.
    pub(super) fn is_same_place(&self, member: &Member) -> bool {
        self.id == member.id && self.role == member.role && self.plugin == member.plugin
    }

    /// Whether a component that is this can't go on to be the other.
    pub(super) fn differs(&self, other: &Self) -> bool {
        self.component != other.component
            || self.connections != other.connections
            || self.config != other.config
    }
}
