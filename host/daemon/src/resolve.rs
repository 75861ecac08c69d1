//! Resolving the configuration with a given build of a plugin.

use hotbay_config::{Config, Diagnostics, Sidecar};
use hotbay_runtime::Generation;
use hotbay_tasks::{ScheduledTask, schedules};

use crate::{check, resolved::ResolvedComponent};

/// A plugin's components and tasks, resolved against the configuration.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedPlugin {
    pub(crate) components: Vec<ResolvedComponent>,
    pub(crate) tasks: Vec<ScheduledTask>,
}

/// Resolves the components and tasks of a plugin, which runs code of the plugin.
///
/// Problems are added to the findings.
pub(crate) async fn resolve(
    config: &Config,
    (generation, sidecar): (&Generation, &Sidecar),
    findings: &mut Diagnostics,
) -> ResolvedPlugin {
    check::sidecar(generation, sidecar, findings);
    let mut components = Vec::new();
    let entries = config.pipeline.iter().flat_map(|pipeline| pipeline.components());
    for entry in entries.filter(|entry| entry.plugin == generation.name()) {
        components.extend(check::component(config, (generation, sidecar), entry, findings).await);
    }
    let tasks = schedules(config, generation, sidecar, findings);
    for task in &tasks {
        check::task(config, (generation, sidecar), task, findings).await;
    }
    ResolvedPlugin { components, tasks }
}
