//! What the configuration means, once it was held against the plugins.

use std::time::Duration;

use hotbay_plugin_api::TaskKind;
use serde_json::Value;

use super::pipeline::Member;
use crate::{
    config::{Role, StatePolicy},
    plugin::Connections,
};

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

/// One task of a plugin, with its schedule.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scheduled {
    pub(super) plugin: String,
    pub(super) task: String,
    pub(super) kind: TaskKind,
    /// `None`: once, at start.
    pub(super) interval: Option<Duration>,
    pub(super) config: Value,
}

impl Scheduled {
    /// The task's name among all plugins' tasks.
    pub(super) fn id(&self) -> String {
        format!("{}/{}", self.plugin, self.task)
    }
}

/// The keys of both; where both have one, that of `over` counts.
pub(super) fn merged(under: Option<&Value>, over: Option<&Value>) -> Value {
    let mut all = serde_json::Map::new();
    for map in [under, over].into_iter().flatten().filter_map(Value::as_object) {
        all.extend(map.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    Value::Object(all)
}
