//! What the configuration means with a given build of a plugin.

use std::path::Path;

use hotbay_config::{Config, Diagnostics, Role, Sidecar, StatePolicy};
use hotbay_runtime::{Connections, Generation};
use hotbay_tasks::{ScheduledTask, schedules};
use serde_json::Value;

use crate::{check, pipeline::Member};

/// A plugin's components and tasks, resolved against the configuration.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedPlugin {
    pub(crate) components: Vec<ResolvedComponent>,
    pub(crate) tasks: Vec<ScheduledTask>,
}

/// One component of the pipeline, resolved against its plugin.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedComponent {
    pub(crate) role: Role,
    pub(crate) id: String,
    pub(crate) plugin: String,
    /// Its name in the plugin.
    pub(crate) component: String,
    pub(crate) connections: Connections,
    pub(crate) config: Value,
    pub(crate) state: StatePolicy,
}

impl ResolvedComponent {
    /// Returns `true` if it takes this member's place, and not that of another with its name.
    pub(crate) fn is_same_place(&self, member: &Member) -> bool {
        self.id == member.id && self.role == member.role && self.plugin == member.plugin
    }

    /// Returns `true` if a component that is this cannot go on to be the other.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        self.component != other.component
            || self.connections != other.connections
            || self.config != other.config
    }
}

/// Resolves a plugin; every problem goes into the findings. Runs code of the plugin.
pub(crate) async fn resolve(
    config: &Config,
    library: &Path,
    (generation, sidecar): (&Generation, &Sidecar),
    findings: &mut Diagnostics,
) -> ResolvedPlugin {
    check::sidecar(library, generation, sidecar, findings);
    let mut components = Vec::new();
    let entries = config.pipeline.iter().flat_map(|pipeline| pipeline.components());
    for entry in entries.filter(|entry| entry.plugin == generation.name()) {
        components.extend(check::component(config, (generation, sidecar), entry, findings).await);
    }
    ResolvedPlugin { components, tasks: schedules(config, generation, sidecar, findings) }
}
