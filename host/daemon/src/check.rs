//! Checking the configuration against the loaded plugins.

mod event_types;
mod ports;

use hotbay_config::{
    ComponentEntry, Config, ConfigPath, Diagnostic, Diagnostics, Document, Segment, Severity,
    Sidecar, TaskEntry, listed, masked, merged, suggestion,
};
use hotbay_plugin_api::{ComponentManifest, Manifest, TaskSpec};
use hotbay_runtime::{ComponentSpec, Connections, Generation};
use hotbay_tasks::{ScheduledTask, check_entries};
use humantime::format_duration;
use tokio::time::timeout;

use crate::{plugins::KnownPlugins, resolved::ResolvedComponent};
pub(crate) use event_types::event_types;
use ports::{Direction, connect};

/// What it means if a plugin that the configuration names is not loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// The configuration is refused, because every plugin has to be there.
    Refused,
    /// Components and tasks of the plugin wait for it.
    Waits,
}

impl Missing {
    /// Makes the finding that what the value at `path` names is not loaded.
    fn finding(self, file: &Document, path: &ConfigPath, message: String) -> Diagnostic {
        match self {
            Self::Waits => file.warning_at(path, format!("{message} yet; this waits for it")),
            Self::Refused => file.error_at(path, message),
        }
    }
}

/// Reports components whose plugins are not loaded, and connected ports that do not fit together.
pub(super) fn components(
    config: &Config,
    plugins: &KnownPlugins,
    missing: Missing,
    findings: &mut Diagnostics,
) {
    for entry in config.pipeline.iter().flat_map(|pipeline| pipeline.components()) {
        if !plugins.contains(&entry.plugin) {
            let (path, plugin) = (entry.location.key("plugin"), &entry.plugin);
            let message = format!("plugin `{plugin}` is not loaded");
            let finding = missing.finding(config.document(), &path, message);
            findings.push(finding.with_help(plugins.help(plugin)));
        }
    }
    event_types(config, |plugin| plugins.manifest(plugin), findings);
}

/// Reports entries of tasks that can't be understood, or whose tasks are not there or are not clear.
pub(super) fn tasks(
    config: &Config,
    plugins: &KnownPlugins,
    missing: Missing,
    findings: &mut Diagnostics,
) {
    check_entries(config, findings);
    for (file, entry) in entries(config, plugins) {
        let (path, message, help) = match entry.target() {
            (Some(plugin), _) if plugins.contains(plugin) => continue,
            (Some(plugin), _) => {
                let message = format!("plugin `{plugin}` is not loaded");
                (entry.plugin_path(), message, plugins.help(plugin))
            }
            (None, task) if plugins.with_task(task).next().is_some() => continue,
            (None, task) => {
                let message = format!("no loaded plugin has a task `{task}`");
                (entry.name_path(), message, plugins.help_with_task(task))
            }
        };
        findings.push(missing.finding(file, &path, message).with_help(help));
    }
    task_names(config, plugins, findings);
}

/// Reports entries that name a task without its plugin, if more than one plugin has such a task.
pub(super) fn task_names(config: &Config, plugins: &KnownPlugins, findings: &mut Diagnostics) {
    for (file, entry) in entries(config, plugins) {
        let (None, task) = entry.target() else { continue };
        let owners: Vec<_> = plugins.with_task(task).collect();
        if owners.len() > 1 {
            let message = format!("more than one plugin has a task `{task}`: {}", listed(&owners));
            let names = owners.iter().map(|plugin| format!("{plugin}/{task}"));
            let help = format!("name the one that is meant: {}", listed(names));
            findings.push(file.error_at(&entry.name_path(), message).with_help(help));
        }
    }
}

/// Returns what is said about the tasks of any plugin, with the files that say it.
fn entries<'a>(
    config: &'a Config,
    plugins: &'a KnownPlugins,
) -> impl Iterator<Item = (&'a Document, &'a TaskEntry)> {
    let shared = &plugins.shared;
    let own = config.tasks.iter().map(|entry| (config.document(), entry));
    own.chain(shared.tasks.iter().map(|entry| (shared.document(), entry)))
}

/// Checks the settings file beside a library against the plugin.
pub(super) fn sidecar(generation: &Generation, sidecar: &Sidecar, findings: &mut Diagnostics) {
    let manifest = &generation.info().manifest;
    let file = sidecar.document();
    let unknown = |kind: &str, name: &str, known: &[&str]| {
        let message = format!("plugin `{}` has no {kind} `{name}`", manifest.name);
        let has = if known.is_empty() { "none".to_owned() } else { listed(known) };
        (message, suggestion(name, known.iter().copied(), &format!("it has {has}")))
    };
    let components: Vec<_> = manifest.components.iter().map(|it| it.name.as_str()).collect();
    for name in sidecar.components.keys().filter(|it| !components.contains(&it.as_str())) {
        let (message, help) = unknown("component", name, &components);
        let path = ConfigPath::root().key("components").key(name);
        findings.push(file.error_at_key(&path, message).with_help(help));
    }
    let tasks: Vec<_> = manifest.tasks.iter().map(|it| it.name.as_str()).collect();
    for entry in &sidecar.tasks {
        let (plugin, task) = entry.target();
        let finding = if let Some(other) = plugin.filter(|it| *it != manifest.name) {
            let message =
                format!("a task of plugin `{other}` in the settings of `{}`", manifest.name);
            file.error_at(&entry.plugin_path(), message)
                .with_help("move it to the configuration, or to the settings of that plugin")
        } else if !tasks.contains(&task) {
            let (message, help) = unknown("task", task, &tasks);
            file.error_at(&entry.name_path(), message).with_help(help)
        } else {
            continue;
        };
        findings.push(finding);
    }
}

/// Resolves an entry of the pipeline with this build of its plugin.
///
/// Problems are added to the findings. Returns `None` if the plugin has no such component.
pub(super) async fn component(
    config: &Config,
    (plugin, sidecar): (&Generation, &Sidecar),
    entry: &ComponentEntry,
    findings: &mut Diagnostics,
) -> Option<ResolvedComponent> {
    let found = match find(config, &plugin.info().manifest, entry) {
        Ok(found) => found,
        Err(finding) => {
            findings.push(finding);
            return None;
        }
    };
    let inputs = connect(config, entry, &found.inputs, Direction::Inputs, findings);
    let outputs = connect(config, entry, &found.outputs, Direction::Outputs, findings);
    let settings = merged(sidecar.components.get(&found.name), Some(&entry.config));
    if let Err((path, message)) = settings_are_right(config, plugin, &found.name, &settings).await {
        let base = entry.location.key("config");
        let at = base.join(&path);
        // The plugin may quote values from both files.
        let message = masked(&message);
        findings.push(config.error_at(&at, message).with_help(format!(
            "`hotbay plugin inspect` shows what `{}` of plugin `{}` takes",
            found.name, entry.plugin
        )));
    }
    Some(ResolvedComponent {
        role: entry.role,
        id: entry.id.clone(),
        plugin: entry.plugin.clone(),
        spec: ComponentSpec {
            name: found.name.clone(),
            connections: Connections { inputs, outputs },
            config: settings,
            state: entry.state,
        },
    })
}

/// Has a plugin check the settings of a task, if the plugin tells their type.
pub(super) async fn task(
    config: &Config,
    (plugin, sidecar): (&Generation, &Sidecar),
    task: &ScheduledTask,
    findings: &mut Diagnostics,
) {
    if task.spec.settings.is_null() {
        return;
    }
    let name = TaskSpec::settings_name(&task.spec.name);
    let Err((path, message)) = settings_are_right(config, plugin, &name, &task.config).await else {
        return;
    };
    // The plugin may quote values from all files.
    let message = masked(&message).into_owned();
    let shared = &sidecar.shared;
    let files = [
        (config.document(), &config.tasks),
        (sidecar.document(), &sidecar.tasks),
        (shared.document(), &shared.tasks),
    ];
    let about = |(file, entries): &(&'_ Document, &'_ Vec<TaskEntry>)| {
        let mut entries = entries.iter();
        let entry = entries.find(|it| it.is_about(&task.plugin, &task.spec.name))?;
        // The key is said by this file, or it is a key that no file says.
        let says = match path.segments().first() {
            Some(Segment::Key(key)) => entry.config.get(key).is_some(),
            Some(Segment::Index(_)) | None => true,
        };
        let at = entry.location.key("config").join(&path);
        says.then(|| file.error_at(&at, &*message))
    };
    let finding = files.iter().find_map(about).unwrap_or_else(|| {
        let place = [format!("tasks.{}.config", task.spec.name), path.to_string()].join(".");
        let message = format!("{}: {message}", place.trim_end_matches('.'));
        Diagnostic::new(config.file(), Severity::Error, message)
    });
    findings.push(finding.with_help(format!(
        "these are the settings of task `{}` of plugin `{}`",
        task.spec.name, task.plugin
    )));
}

/// Has a plugin check settings, which runs code of the plugin that may hang.
///
/// # Errors
/// The place of the problem in the settings, and the problem.
async fn settings_are_right(
    config: &Config,
    plugin: &Generation,
    name: &str,
    settings: &serde_json::Value,
) -> Result<(), (ConfigPath, String)> {
    let limit = config.reload.initialize;
    match timeout(limit, plugin.check_config(name, settings)).await {
        Ok(checked) => checked.map_err(|(path, message)| (path.as_str().into(), message)),
        Err(_) => {
            let message = format!("the plugin did not check it within {}", format_duration(limit));
            Err((ConfigPath::root(), message))
        }
    }
}

/// Finds the component of the plugin that an entry names, or the only one of its role.
fn find<'p>(
    config: &Config,
    manifest: &'p Manifest,
    entry: &ComponentEntry,
) -> Result<&'p ComponentManifest, Diagnostic> {
    let of_role = || manifest.components.iter().filter(|known| known.role == entry.role);
    let names = |of: Vec<&ComponentManifest>| {
        let names: Vec<_> = of.iter().map(|it| format!("`{}` ({})", it.name, it.role)).collect();
        if names.is_empty() { "no component".to_owned() } else { names.join(", ") }
    };
    let has = || format!("it has {}", names(manifest.components.iter().collect()));
    let Some(name) = &entry.component else {
        let mut candidates = of_role();
        return match (candidates.next(), candidates.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => {
                let message = format!("plugin `{}` has no {}", entry.plugin, entry.role);
                Err(config.error_at(&entry.location.key("plugin"), message).with_help(has()))
            }
            (Some(_), Some(_)) => {
                let message = format!(
                    "plugin `{}` has several components of the role {}: {}",
                    entry.plugin,
                    entry.role,
                    names(of_role().collect())
                );
                let finding = config.error_at(&entry.location.key("plugin"), message);
                Err(finding.with_help("name one under `component:`"))
            }
        };
    };
    let path = entry.location.key("component");
    let known = manifest.components.iter().find(|known| known.name == *name).ok_or_else(|| {
        let message = format!("plugin `{}` has no component `{name}`", entry.plugin);
        let known = manifest.components.iter().map(|it| it.name.as_str());
        config.error_at(&path, message).with_help(suggestion(name, known, &has()))
    })?;
    if known.role == entry.role {
        return Ok(known);
    }
    let message = format!("`{name}` has the role {}, not {}", known.role, entry.role);
    Err(config.error_at(&path, message).with_help(format!("move it to `{}:`", known.role.key())))
}
