//! Finding what a checked configuration changes.

use std::{collections::BTreeSet, sync::Arc};

use hotbay_config::Config;
use hotbay_runtime::{
    ComponentSetup, Generation,
    replacement::{ComponentBuild, Limits, OnFailure},
};
use hotbay_tasks::{PreparedTasks, ScheduledTask};

use super::{
    apply::{ApplyRequest, TaskChange},
    check::CheckedConfiguration,
};
use crate::{
    actor::Actor,
    pipeline::{ComponentRemoval, MemberState, is_place_of},
    resolved::ResolvedComponent,
};

impl Actor {
    /// Makes the operation that applies a configuration which changes these plugins.
    pub(super) fn apply_request(
        &self,
        checked: CheckedConfiguration,
        changes: Vec<String>,
    ) -> ApplyRequest {
        let mut tasks = Vec::new();
        for plugin in &changes {
            let Some(generation) = self.generation(plugin) else { continue };
            let to = &checked.plugins[plugin].tasks;
            let (kept, fresh) = self.divide_tasks(plugin, to);
            let count = self.changed_tasks(plugin, to);
            tasks.push(TaskChange { plugin: plugin.clone(), generation, kept, fresh, count });
        }
        let config = Arc::clone(&checked.config);
        ApplyRequest {
            steps: self.component_steps(&checked),
            removals: self.removals(&config),
            core: self.pipeline.as_ref().and_then(|it| it.core()).cloned(),
            limits: Limits::of(&self.config.reload, OnFailure::Fail),
            drain: config.shutdown.drain,
            services: self.services.clone(),
            factory: self.factory.clone(),
            tasks,
            checked,
        }
    }

    /// Divides a plugin's tasks into those that keep their builds and those that are made again.
    fn divide_tasks(
        &self,
        plugin: &str,
        tasks: &[ScheduledTask],
    ) -> (PreparedTasks, Vec<ScheduledTask>) {
        let now = self.tasks.of_plugin(plugin);
        let (mut kept, mut fresh) = (PreparedTasks::new(), Vec::new());
        for task in tasks {
            let same = now.iter().find(|(it, _)| it.id() == task.id() && it.config == task.config);
            match same {
                Some((_, build)) => kept.push((task.clone(), build.clone())),
                None => fresh.push(task.clone()),
            }
        }
        (kept, fresh)
    }

    /// Returns the number of tasks that a plugin is to have in another way than it has them.
    fn changed_tasks(&self, plugin: &str, to: &[ScheduledTask]) -> usize {
        let now = self.tasks.of_plugin(plugin);
        differing(&now.iter().map(|(task, _)| task).collect::<Vec<_>>(), to)
    }

    /// Returns the running components that the configuration changes, with their present builds.
    fn component_steps(
        &self,
        checked: &CheckedConfiguration,
    ) -> Vec<(ComponentSetup, ComponentBuild, Arc<Generation>)> {
        let Some(pipeline) = &self.pipeline else { return Vec::new() };
        let to: Vec<_> = checked.plugins.values().flat_map(|it| &it.components).collect();
        let mut steps = Vec::new();
        for member in pipeline.members() {
            let new = to.iter().find(|it| member.is_place_of(it));
            let (Some(new), Some(old)) = (new, &member.resolved) else { continue };
            if let (true, MemberState::Runs, Some(build), Some(generation)) = (
                new.spec.differs(&old.spec),
                pipeline.state(member),
                &member.build,
                self.generation(&new.plugin),
            ) {
                steps.push((member.setup(new), build.clone(), generation));
            }
        }
        steps
    }

    /// Returns the components that the configuration does not name any more.
    fn removals(&self, config: &Config) -> Vec<ComponentRemoval> {
        let (Some(pipeline), Some(written)) = (&self.pipeline, &config.pipeline) else {
            return Vec::new();
        };
        pipeline.removals(|it| !written.components().any(|entry| is_place_of(entry, it)))
    }

    /// Returns `true` if a plugin is to have other components or tasks than it has.
    pub(super) fn changes(&self, plugin: &str, checked: &CheckedConfiguration) -> bool {
        let to = &checked.plugins[plugin];
        let members = self.pipeline.iter().flat_map(|it| it.members());
        let members: Vec<_> = members.filter(|member| member.plugin == plugin).collect();
        let is_there = |resolved: &ResolvedComponent| {
            members.iter().any(|member| {
                let was = member.resolved.as_ref();
                member.is_place_of(resolved)
                    && was.is_some_and(|was| !resolved.spec.differs(&was.spec))
            })
        };
        self.changed_tasks(plugin, &to.tasks) > 0
            || members.len() != to.components.len()
            || !to.components.iter().all(is_there)
    }
}

/// Counts the tasks of one plugin that are added, removed or changed. A task whose settings or
/// schedule change counts once.
fn differing(now: &[&ScheduledTask], to: &[ScheduledTask]) -> usize {
    let added_or_changed = to.iter().filter(|task| !now.contains(task)).count();
    let names: BTreeSet<_> = to.iter().map(|task| &task.spec.name).collect();
    added_or_changed + now.iter().filter(|task| !names.contains(&task.spec.name)).count()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hotbay_plugin_api::{FunctionKind, Schedule, TaskSpec};
    use serde_json::json;

    use super::*;

    fn task(name: &str, seconds: u64) -> ScheduledTask {
        let spec = TaskSpec {
            schedule: Schedule::Every(Duration::from_secs(seconds)),
            ..TaskSpec::new(name, FunctionKind::Async)
        };
        ScheduledTask { plugin: "a".to_owned(), spec, config: json!({}) }
    }

    #[test]
    fn each_task_that_differs_counts_once() {
        let now = [task("same", 1), task("rare", 1), task("removed", 1), task("set", 1)];
        let set = ScheduledTask { config: json!({ "depth": 2 }), ..task("set", 1) };
        let to = [task("same", 1), task("rare", 60), set, task("added", 1)];
        let now: Vec<_> = now.iter().collect();
        assert_eq!(differing(&now, &to), 4);
        assert_eq!(differing(&now[..1], &to[..1]), 0);
    }
}
