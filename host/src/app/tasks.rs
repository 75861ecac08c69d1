//! The tasks that plugins bring, with what the configuration changes about them.

use std::time::Duration;

use hotbay_plugin_api::{Batch, ChannelName, TaskManifest};
use tokio_util::sync::CancellationToken;

use super::{
    HostError,
    plugins::Plugins,
    report::TaskReport,
    task::{Tally, TaskDriver},
    wiring::Scheduled,
};
use crate::{
    config::{Config, Diagnostic, Diagnostics, Severity, TaskEntry},
    plugin::{Busy, ComponentSetup, Connections, Generation, Services},
    scheduler::{Scheduler, ShutdownLimits, TaskOptions},
};

/// Which tasks are to run; problems go into the findings.
pub(super) fn check(
    config: &Config,
    plugins: &Plugins,
    findings: &mut Diagnostics,
) -> Vec<Scheduled> {
    for entry in &config.tasks {
        entry_exists(config, plugins, entry, findings);
    }
    let mut scheduled = Vec::new();
    for plugin in plugins.iter() {
        for task in &plugin.info().manifest.tasks {
            let mut entries = config.tasks.iter();
            let entry = entries.find(|it| it.plugin == plugin.name() && it.task == task.name);
            if entry.is_some_and(|entry| entry.enabled == Some(false)) {
                continue;
            }
            match schedule(plugin, task, entry) {
                Ok(task) => scheduled.push(task),
                Err(finding) => findings.push(finding),
            }
        }
    }
    scheduled
}

fn entry_exists(config: &Config, plugins: &Plugins, entry: &TaskEntry, findings: &mut Diagnostics) {
    let Some(plugin) = plugins.get(&entry.plugin) else {
        let message = format!("plugin `{}` is not loaded", entry.plugin);
        let finding = config.error_at(&entry.location.key("plugin"), message);
        findings.push(finding.with_help(plugins.names()));
        return;
    };
    let tasks = &plugin.info().manifest.tasks;
    if !tasks.iter().any(|task| task.name == entry.task) {
        let names: Vec<_> = tasks.iter().map(|task| format!("`{}`", task.name)).collect();
        let has = if names.is_empty() { "no tasks".to_owned() } else { names.join(", ") };
        let message = format!("plugin `{}` has no task `{}`", entry.plugin, entry.task);
        let finding = config.error_at(&entry.location.key("task"), message);
        findings.push(finding.with_help(format!("it has {has}")));
    }
}

/// A task with its schedule, or why it is not run.
fn schedule(
    plugin: &Generation,
    task: &TaskManifest,
    entry: Option<&TaskEntry>,
) -> Result<Scheduled, Diagnostic> {
    let refuse = |reason: String| {
        let file = plugin.info().file.as_ref().map(|file| file.path.clone()).unwrap_or_default();
        let message = format!("task `{}` of plugin `{}` {reason}", task.name, plugin.name());
        Diagnostic::new(&file, Severity::Error, message).with_help(format!(
            "change its entry of PLUGIN_TASKS, or switch it off under `tasks:` with `enabled: \
             false` (plugin: {}, task: {})",
            plugin.name(),
            task.name
        ))
    };
    if !task.asks.is_empty() {
        let wishes: Vec<_> = task.asks.iter().map(|wish| wish.0.as_str()).collect();
        let wishes = wishes.join(", ");
        return Err(refuse(format!("asks for {wishes}, which this host does not honour yet")));
    }
    let interval = entry
        .and_then(|entry| entry.interval)
        .or_else(|| task.interval_ms.map(Duration::from_millis));
    if interval.is_some_and(|interval| interval.is_zero()) {
        return Err(refuse("has an interval of zero".to_owned()));
    }
    Ok(Scheduled {
        plugin: plugin.name().to_owned(),
        task: task.name.clone(),
        kind: task.kind,
        interval,
        config: entry.map_or_else(|| serde_json::json!({}), |entry| entry.config.clone()),
    })
}

/// The tasks of all plugins, running.
pub(super) struct Running {
    scheduler: Scheduler<ChannelName, Batch>,
    cancel: CancellationToken,
    tasks: Vec<(Scheduled, Tally, Busy)>,
}

/// Starts every task on its plugin's threads.
pub(super) async fn start(
    plugins: &Plugins,
    tasks: &[Scheduled],
    services: &Services,
) -> Result<Running, HostError> {
    let scheduler = Scheduler::new(services.bus.clone());
    let cancel = CancellationToken::new();
    let failed = |error| HostError::Engine(hotbay_plugin_api::TradingEngineError::from(error));
    let mut running = Vec::new();
    for scheduled in tasks {
        let Some(plugin) = plugins.get(&scheduled.plugin) else { continue };
        let setup = ComponentSetup {
            id: scheduled.id(),
            source: 0,
            config: scheduled.config.clone(),
            connections: Connections::default(),
            cancel: cancel.child_token(),
        };
        let run = plugin.create_run(&scheduled.task, setup, services).await.map_err(failed)?;
        let tally = Tally::default();
        let busy = run.busy();
        let driver = TaskDriver {
            id: scheduled.id(),
            run,
            interval: scheduled.interval,
            cancel: cancel.clone(),
            tally: tally.clone(),
            due: None,
        };
        let options = TaskOptions::default().with_runtime(plugin.handle().clone());
        scheduler.register_background_task_with(scheduled.id(), driver, options).map_err(failed)?;
        running.push((scheduled.clone(), tally, busy));
    }
    scheduler.start().await.map_err(failed)?;
    Ok(Running { scheduler, cancel, tasks: running })
}

impl Running {
    /// Asks all tasks to stop and waits; gives what did not.
    pub(super) async fn stop(&self, limit: Duration) -> Vec<String> {
        self.cancel.cancel();
        // A run in progress is a turn: it may end by itself as long as the limit allows.
        let limits = ShutdownLimits {
            total: limit * 2,
            turn_grace: limit,
            ..ShutdownLimits::within(limit * 2)
        };
        let report = self.scheduler.shutdown_with(limits).await;
        let mut stuck: Vec<String> = report.did_not_stop.iter().map(ToString::to_string).collect();
        for (scheduled, _, busy) in &self.tasks {
            let id = scheduled.id();
            if busy.is_busy() && !stuck.contains(&id) {
                stuck.push(id);
            }
        }
        stuck.iter().map(|id| format!("task {id} did not stop within {limit:?}")).collect()
    }

    /// What became of each task.
    pub(super) fn reports(&self) -> Vec<TaskReport> {
        let of = |(scheduled, tally, _): &(Scheduled, Tally, Busy)| {
            let runs = tally.lock().clone();
            TaskReport {
                id: scheduled.id(),
                schedule: match scheduled.interval {
                    None => "at start".to_owned(),
                    Some(interval) => {
                        format!("every {}", humantime::format_duration(interval))
                    }
                },
                kind: scheduled.kind,
                runs: runs.done + runs.failed,
                failed: runs.failed,
                last_error: runs.last_error,
            }
        };
        self.tasks.iter().map(of).collect()
    }
}
