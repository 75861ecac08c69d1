//! The tasks of a host, in this process, with a plugin that is linked in.

use std::{num::NonZeroUsize, path::Path, time::Duration};

use hotbay::{
    EventBus,
    config::History,
    runtime::{BayConfig, Generation, Services},
};
use hotbay_plugin_api::{Batch, ChannelName, TaskSpec};
use hotbay_tasks::{
    OpenedStore, PreparedTasks, ScheduledTask, TaskAnswer, TaskControl, TaskRequest, Tasks, run_log,
};
use serde_json::json;

/// The id of the task that does nothing.
pub(super) const NOTHING: &str = "no-op/nothing";

/// The tasks of a host with the plugin `no-op`.
pub(super) struct Host {
    tasks: Tasks,
    plugin: Generation,
    services: Services,
}

impl Host {
    /// A host that has no tasks yet, and stores what becomes of them in this folder, if there is one.
    pub(super) async fn new(folder: Option<&Path>) -> Self {
        let store = match folder {
            Some(folder) => OpenedStore::open(folder).expect("the folder is new"),
            None => OpenedStore::none(),
        };
        let (_, lines) = run_log();
        let bay = BayConfig { name: "no-op".to_owned(), threads: NonZeroUsize::MIN };
        let plugin = Generation::linked(no_op::hotbay_plugin(), &bay).await;
        let bus = EventBus::<ChannelName, Batch>::with_payload([].into());
        let plugin = plugin.expect("it is linked in");
        Self { tasks: Tasks::start(lines, store), plugin, services: Services::new(bus) }
    }

    /// Makes a task of what the plugin says of the one that does nothing, with changes.
    pub(super) fn prepare(&self, change: impl FnOnce(&mut TaskSpec)) -> PreparedTasks {
        let spec = &self.plugin.info().manifest.tasks[0];
        let (plugin, config) = ("no-op".to_owned(), json!({}));
        let task = ScheduledTask { plugin, spec: spec.clone(), config };
        let prepared = self.tasks.factory().prepare(&self.plugin, vec![task], &self.services);
        let mut prepared = prepared.expect("the plugin has this task");
        change(&mut prepared[0].0.spec);
        prepared
    }

    /// Installs tasks and lets their runs start.
    pub(super) fn begin(&mut self, tasks: PreparedTasks) {
        self.tasks.install("no-op", tasks).expect("the tasks are right");
        self.tasks.begin();
    }

    /// Sets which runs are kept.
    pub(super) fn keep(&self, history: History) {
        self.tasks.set_history(history);
    }

    pub(super) fn control(&self) -> TaskControl {
        self.tasks.control()
    }

    /// The number of runs of the task that does nothing that have ended well.
    pub(super) async fn succeeded(&self) -> u64 {
        let show = TaskRequest::Show { task: NOTHING.to_owned() };
        match self.control().ask(show).await {
            Ok(TaskAnswer::Task(task, _)) => task.counts.succeeded,
            other => panic!("it is a task: {other:?}"),
        }
    }

    pub(super) async fn stop(self) {
        let stuck = self.tasks.stop(Duration::from_secs(10)).await;
        assert!(stuck.is_empty(), "{stuck:?}");
        drop(self.tasks);
        self.plugin.close(Duration::from_secs(5)).await;
    }
}
