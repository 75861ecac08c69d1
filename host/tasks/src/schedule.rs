//! Deciding which tasks of a plugin are to run, and when.

use std::path::PathBuf;

use hotbay_config::{
    Config, Diagnostic, Diagnostics, Severity, Sidecar, TaskEntry, listed, merged, suggestion,
};
use hotbay_plugin_api::{Schedule, TaskSpec};
use hotbay_runtime::Generation;
use jiff::Timestamp;

use crate::{
    ScheduledTask, dependency_cycle, overrides::Override, scheduled::WrongSpec,
    supported::unsupported,
};

/// Returns the tasks of one plugin that are to run. Problems are added to the findings, except those
/// that [`check_entries`](crate::check_entries) finds.
pub fn schedules(
    config: &Config,
    plugin: &Generation,
    sidecar: &Sidecar,
    findings: &mut Diagnostics,
) -> Vec<ScheduledTask> {
    let mut scheduled = Vec::new();
    for entry in config.tasks.iter().filter(|it| it.target().0 == Some(plugin.name())) {
        check_entry(config, plugin, entry, findings);
    }
    for task in &plugin.info().manifest.tasks {
        let shared = &sidecar.shared;
        let shared = Override::find(shared.document(), &shared.tasks, (plugin, task), findings);
        let beside = Override::find(sidecar.document(), &sidecar.tasks, (plugin, task), findings);
        let own = Override::find(config.document(), &config.tasks, (plugin, task), findings);
        let mut spec = task.clone();
        let is_right =
            [shared, beside, own].into_iter().flatten().all(|it| match it.apply(&mut spec) {
                Ok(()) => true,
                Err(finding) => {
                    // Those of the configuration are found without its plugins.
                    findings.extend((it.file.file() != config.file()).then_some(finding));
                    false
                }
            });
        if is_right && spec.enabled {
            // The configuration takes precedence.
            match (Overridden { config, plugin, overrides: [own, beside, shared] }).scheduled(spec)
            {
                Ok(task) => scheduled.push(task),
                Err(finding) => findings.push(*finding),
            }
        }
    }
    let ids: Vec<_> = scheduled.iter().map(ScheduledTask::id).collect();
    if let Some(cycle) = dependency_cycle(ids.iter().map(String::as_str).zip(&scheduled)) {
        findings.push(Diagnostic::new(&file_of(plugin), Severity::Error, cycle));
    }
    scheduled
}

/// Reports an entry that names a task which the plugin does not have.
fn check_entry(
    config: &Config,
    plugin: &Generation,
    entry: &TaskEntry,
    findings: &mut Diagnostics,
) {
    let (tasks, (_, name)) = (&plugin.info().manifest.tasks, entry.target());
    if !tasks.iter().any(|task| task.name == name) {
        let names: Vec<_> = tasks.iter().map(|task| task.name.as_str()).collect();
        let has = if names.is_empty() { "no tasks".to_owned() } else { listed(&names) };
        let message = format!("plugin `{}` has no task `{name}`", plugin.name());
        let finding = config.error_at(&entry.name_path(), message);
        let help = suggestion(name, names, &format!("it has {has}"));
        findings.push(finding.with_help(help));
    }
}

/// Returns the file from which a plugin was loaded.
fn file_of(plugin: &Generation) -> PathBuf {
    plugin.info().file.as_ref().map(|file| file.path.clone()).unwrap_or_default()
}

/// A task of a plugin, with what files say about it, the one that takes precedence first.
struct Overridden<'a> {
    config: &'a Config,
    plugin: &'a Generation,
    overrides: [Option<Override<'a>>; 3],
}

impl Overridden<'_> {
    /// Returns the task with its spec and its settings.
    ///
    /// # Errors
    /// If the task can't be run as its spec says.
    fn scheduled(&self, spec: TaskSpec) -> Result<ScheduledTask, Box<Diagnostic>> {
        let [config, beside, shared] = self.overrides.map(|it| it.map(|it| &it.entry.config));
        let config = merged(Some(&merged(shared, beside)), config);
        let task = ScheduledTask { plugin: self.plugin.name().to_owned(), spec, config };
        let unsupported = unsupported(&task.spec);
        if let Some((field, _)) = unsupported.first() {
            let wishes = unsupported.iter().map(|(field, wish)| match wish.as_str() {
                "" => format!("`{field}`"),
                wish => format!("{wish} (`{field}`)"),
            });
            let wishes = wishes.collect::<Vec<_>>().join(", ");
            let reason = format!("asks for {wishes}, which this host does not honour yet");
            return Err(self.refusal(&task.spec.name, field, &reason));
        }
        let tasks = &self.plugin.info().manifest.tasks;
        let is_there =
            |name: &String| name.contains('/') || tasks.iter().any(|it| it.name == *name);
        if let Some(missing) = task.spec.depends_on.iter().find(|name| !is_there(name)) {
            let names = listed(tasks.iter().map(|task| &task.name));
            let reason =
                format!("depends on `{missing}`, which the plugin does not have; it has {names}");
            return Err(self.refusal(&task.spec.name, "depends_on", &reason));
        }
        if let Schedule::OnEvent(channel) = &task.spec.schedule
            && !self.config.channels.iter().any(|(name, _)| name == channel)
        {
            let names = self.config.channels.iter().map(|(name, _)| name.as_str());
            let has = listed(names.clone());
            let has = if has.is_empty() { "none".to_owned() } else { has };
            let help = suggestion(channel, names, &format!("the configuration declares {has}"));
            let reason = format!("runs for the events of `{channel}`, which is no channel; {help}");
            return Err(self.refusal(&task.spec.name, "schedule", &reason));
        }
        // The time does not matter for whether the schedule can be understood.
        match task.definition(Timestamp::UNIX_EPOCH) {
            Ok(_) => Ok(task),
            Err(WrongSpec { field, reason }) => Err(self.refusal(&task.spec.name, field, &reason)),
        }
    }

    /// Makes an error about a field of the task, at the place where a file says it.
    fn refusal(&self, task: &str, field: &str, reason: &str) -> Box<Diagnostic> {
        let plugin = self.plugin.name();
        let message = format!("task `{task}` of plugin `{plugin}` {reason}");
        let keys: &[&str] = match field {
            "schedule" => &["schedule", "interval", "interval_seconds"],
            "depends_on" => &["depends_on", "schedule"],
            "at_once" => &["at_once", "overlap"],
            other => &[other],
        };
        let mut overrides = self.overrides.iter().flatten();
        Box::new(match overrides.find_map(|it| it.error_at(keys, &message)) {
            Some(finding) => {
                finding.with_help("change it, or switch the task off with `enabled: false`")
            }
            None => {
                Diagnostic::new(&file_of(self.plugin), Severity::Error, message).with_help(format!(
                    "change its entry of PLUGIN_TASKS, or switch it off under `tasks:` with \
                     `enabled: false` (plugin: {plugin}, task: {task})"
                ))
            }
        })
    }
}
