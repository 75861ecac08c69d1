//! Deciding which tasks of a plugin are to run, and when.

use std::path::PathBuf;

use hotbay_config::{
    Config, Diagnostic, Diagnostics, Severity, Sidecar, SidecarTask, TaskEntry, listed, merged,
    suggestion,
};
use hotbay_plugin_api::{Schedule, TaskSpec};
use hotbay_runtime::Generation;
use jiff::Timestamp;

use crate::{ScheduledTask, dependency_cycle, supported::unsupported};

/// Reports an entry that names a task which the plugin does not have.
fn check_entry(
    config: &Config,
    plugin: &Generation,
    entry: &TaskEntry,
    findings: &mut Diagnostics,
) {
    let tasks = &plugin.info().manifest.tasks;
    if !tasks.iter().any(|task| task.name == entry.task) {
        let names: Vec<_> = tasks.iter().map(|task| task.name.as_str()).collect();
        let has = if names.is_empty() { "no tasks".to_owned() } else { listed(&names) };
        let message = format!("plugin `{}` has no task `{}`", entry.plugin, entry.task);
        let finding = config.error_at(&entry.location.key("task"), message);
        let help = suggestion(&entry.task, names, &format!("it has {has}"));
        findings.push(finding.with_help(help));
    }
}

/// Returns the tasks of one plugin that are to run. Problems are added to the findings.
pub fn schedules(
    config: &Config,
    plugin: &Generation,
    sidecar: &Sidecar,
    findings: &mut Diagnostics,
) -> Vec<ScheduledTask> {
    let mut scheduled = Vec::new();
    for entry in config.tasks.iter().filter(|entry| entry.plugin == plugin.name()) {
        check_entry(config, plugin, entry, findings);
    }
    for task in &plugin.info().manifest.tasks {
        let mut entries = config.tasks.iter();
        let entry = entries.find(|it| it.plugin == plugin.name() && it.task == task.name);
        let beside = sidecar.tasks.get(&task.name);
        let enabled = entry.and_then(|it| it.enabled).or(beside.and_then(|it| it.enabled));
        if !enabled.unwrap_or(task.enabled) {
            continue;
        }
        match schedule(plugin, task, entry, beside) {
            Ok(task) => scheduled.push(task),
            Err(finding) => findings.push(finding),
        }
    }
    let ids: Vec<_> = scheduled.iter().map(ScheduledTask::id).collect();
    if let Some(cycle) = dependency_cycle(ids.iter().map(String::as_str).zip(&scheduled)) {
        findings.push(Diagnostic::new(&file_of(plugin), Severity::Error, cycle));
    }
    scheduled
}

/// Returns the file from which a plugin was loaded.
fn file_of(plugin: &Generation) -> PathBuf {
    plugin.info().file.as_ref().map(|file| file.path.clone()).unwrap_or_default()
}

/// Returns a task with its schedule.
///
/// # Errors
/// If the task can't be run as its spec and its settings say.
fn schedule(
    plugin: &Generation,
    task: &TaskSpec,
    entry: Option<&TaskEntry>,
    beside: Option<&SidecarTask>,
) -> Result<ScheduledTask, Diagnostic> {
    let refuse = |reason: String| {
        let message = format!("task `{}` of plugin `{}` {reason}", task.name, plugin.name());
        Diagnostic::new(&file_of(plugin), Severity::Error, message).with_help(format!(
            "change its entry of PLUGIN_TASKS, or switch it off under `tasks:` with `enabled: \
             false` (plugin: {}, task: {})",
            plugin.name(),
            task.name
        ))
    };
    let unsupported = unsupported(task);
    if !unsupported.is_empty() {
        let fields = unsupported.join(", ");
        return Err(refuse(format!("asks for {fields}, which this host does not honour yet")));
    }
    let interval =
        entry.and_then(|entry| entry.interval).or(beside.and_then(|beside| beside.interval));
    let mut spec = task.clone();
    if let Some(interval) = interval {
        spec.schedule = Schedule::Every(interval);
    }
    let beside = beside.map(|beside| &beside.config);
    let config = merged(beside, entry.map(|entry| &entry.config));
    let task = ScheduledTask { plugin: plugin.name().to_owned(), spec, config };
    let tasks = &plugin.info().manifest.tasks;
    let is_there = |name: &String| name.contains('/') || tasks.iter().any(|it| it.name == *name);
    if let Some(missing) = task.spec.depends_on.iter().find(|name| !is_there(name)) {
        let names = listed(tasks.iter().map(|task| &task.name));
        let reason = format!("depends on `{missing}`, which the plugin does not have; it has");
        return Err(refuse(format!("{reason} {names}")));
    }
    // The time does not matter for whether the schedule can be understood.
    task.definition(Timestamp::UNIX_EPOCH).map_err(refuse)?;
    Ok(task)
}
