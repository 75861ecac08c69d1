//! Applying a checked configuration.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hotbay_config::{Config, ConfigPath, Diagnostics};
use hotbay_plugin_api::{ChannelName, SchedulerError};
use hotbay_runtime::{
    ComponentSetup, Generation, Services,
    replacement::{ComponentBuild, Limits, PluginCore, ReplacedComponent, Swap, replace},
};
use hotbay_tasks::{PreparedTasks, ScheduledTask, TaskFactory};

use super::check::CheckedConfiguration;
use crate::{
    pipeline::{ComponentRemoval, RemovedComponent, take_out},
    reconcile::Subject,
};

/// Everything that was prepared and replaced to apply a configuration.
pub(crate) struct AppliedConfiguration {
    pub(super) checked: CheckedConfiguration,
    pub(super) changed: Vec<ReplacedComponent>,
    pub(super) removed: Vec<RemovedComponent>,
    pub(super) tasks: BTreeMap<String, PreparedTasks>,
    /// The number of tasks that differ from those before.
    pub(super) count: usize,
}

/// The tasks of one plugin whose components or tasks a configuration changes.
pub(super) struct TaskChange {
    pub(super) plugin: String,
    pub(super) generation: Arc<Generation>,
    /// The tasks that keep their builds.
    pub(super) kept: PreparedTasks,
    /// The tasks that are made again.
    pub(super) fresh: Vec<ScheduledTask>,
    /// The number of tasks that differ from those before.
    pub(super) count: usize,
}

/// The operation that applies a configuration.
///
/// If a step fails, it undoes those before. The last step, taking components out, can't fail.
pub(super) struct ApplyRequest {
    pub(super) checked: CheckedConfiguration,
    pub(super) tasks: Vec<TaskChange>,
    pub(super) steps: Vec<(ComponentSetup, ComponentBuild, Arc<Generation>)>,
    pub(super) removals: Vec<ComponentRemoval>,
    pub(super) core: Option<PluginCore>,
    pub(super) limits: Limits,
    pub(super) drain: Duration,
    pub(super) services: Services,
    pub(super) factory: TaskFactory,
}

impl ApplyRequest {
    pub(super) async fn run(self) -> Result<AppliedConfiguration, (Subject, Diagnostics)> {
        let Self { checked, tasks, steps, removals, core, limits, drain, services, factory } = self;
        let refuse = |checked: CheckedConfiguration, reason: String| {
            let mut found = Diagnostics::new();
            found.push(checked.config.error_at(&ConfigPath::root(), reason));
            (checked.subject, found)
        };
        let (mut prepared, mut count) = (BTreeMap::new(), 0);
        for change in tasks {
            let TaskChange { plugin, generation, mut kept, fresh, count: differ } = change;
            match factory.prepare(&generation, fresh, &services) {
                Ok(made) => kept.extend(made),
                Err(error) => {
                    let text = format!("the tasks of plugin `{plugin}` can't be made: {error}");
                    return Err(refuse(checked, text));
                }
            }
            prepared.insert(plugin, kept);
            count += differ;
        }
        let declared = match declare(&checked.config, &services) {
            Ok(declared) => declared,
            Err(error) => return Err(refuse(checked, error.to_string())),
        };
        let mut changed = Vec::new();
        if let Some(core) = &core {
            let swaps: Vec<_> = steps
                .iter()
                .map(|(setup, old, to)| Swap { setup: setup.clone(), old: old.clone(), to: &**to })
                .collect();
            let (result, held) = replace(core, &swaps, &services, limits).await;
            match result {
                Ok(done) => changed = done,
                Err(failed) => {
                    withdraw(&declared, &services);
                    let text = format!("{failed}; all components continue as before");
                    return Err(refuse(checked, text));
                }
            }
            if !changed.is_empty() {
                tracing::info!(components = changed.len(), ?held, "reconfigured");
            }
        }
        let removed = match &core {
            Some(core) => take_out(removals, core, drain).await,
            None => Vec::new(),
        };
        Ok(AppliedConfiguration { checked, changed, removed, tasks: prepared, count })
    }
}

/// Declares the new channels: all of them, or none.
fn declare(config: &Config, services: &Services) -> Result<Vec<ChannelName>, SchedulerError> {
    let mut declared = Vec::new();
    for (name, channel) in &config.channels {
        let name = ChannelName::from(name.as_str());
        if services.bus.stats(&name).is_ok() {
            continue;
        }
        if let Err(error) =
            services.bus.declare_with(name.clone(), channel.config(), channel.overflow)
        {
            withdraw(&declared, services);
            return Err(error);
        }
        declared.push(name);
    }
    Ok(declared)
}

/// Withdraws channels that were declared for a configuration that is refused.
fn withdraw(declared: &[ChannelName], services: &Services) {
    declared.iter().for_each(|name| drop(services.bus.withdraw(name)));
}
