//! Resolving the configuration with a given build of a plugin.

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
    /// The component's name in the plugin.
    pub(crate) component: String,
    pub(crate) connections: Connections,
    pub(crate) config: Value,
    pub(crate) state: StatePolicy,
}

impl ResolvedComponent {
    /// Returns `true` if this component is that member of the pipeline, and not another one of the
    /// same name.
    pub(crate) fn is_same_place(&self, member: &Member) -> bool {
        self.id == member.id && self.role == member.role && self.plugin == member.plugin
    }

    /// Returns `true` if the component has to be made again to become `other`.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        self.component != other.component
            || self.connections != other.connections
            || self.config != other.config
    }
}

/// Resolves the components and tasks of a plugin, which runs code of the plugin.
///
/// Problems are added to the findings.
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
