//! Checking the configuration against the loaded plugins.

mod event_types;
mod ports;

use std::path::Path;

use hotbay_config::{
    ComponentEntry, Config, ConfigPath, Diagnostic, Diagnostics, Severity, Sidecar, merged,
};
use hotbay_plugin_api::{ComponentManifest, Manifest};
use hotbay_runtime::{ComponentSpec, Connections, Generation};
use humantime::format_duration;
use tokio::time::timeout;

use crate::{plugins::KnownPlugins, reconcile::settings_files, resolved::ResolvedComponent};
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

/// Reports that the plugin of an entry is not loaded.
pub(super) fn missing(
    config: &Config,
    plugins: &KnownPlugins,
    (path, plugin): (&ConfigPath, &str),
    missing: Missing,
    findings: &mut Diagnostics,
) {
    let message = format!("plugin `{plugin}` is not loaded");
    let finding = match missing {
        Missing::Waits => config.warning_at(path, format!("{message} yet; this waits for it")),
        Missing::Refused => config.error_at(path, message),
    };
    findings.push(finding.with_help(plugins.help()));
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
            let path = entry.location.key("plugin");
            self::missing(config, plugins, (&path, &entry.plugin), missing, findings);
        }
    }
    event_types(config, |plugin| plugins.manifest(plugin), findings);
}

/// Reports entries of tasks whose plugins are not loaded.
pub(super) fn tasks(
    config: &Config,
    plugins: &KnownPlugins,
    missing: Missing,
    findings: &mut Diagnostics,
) {
    for entry in config.tasks.iter().filter(|entry| !plugins.contains(&entry.plugin)) {
        let path = entry.location.key("plugin");
        self::missing(config, plugins, (&path, &entry.plugin), missing, findings);
    }
}

/// Checks the settings file beside a library against the plugin.
pub(super) fn sidecar(
    library: &Path,
    generation: &Generation,
    sidecar: &Sidecar,
    findings: &mut Diagnostics,
) {
    let manifest = &generation.info().manifest;
    let files = settings_files(library, &manifest.name);
    let file = files.into_iter().find(|file| file.is_file());
    let mut unknown = |kind: &str, name: &String, known: Vec<&str>| {
        let message = format!("plugin `{}` has no {kind} `{name}`", manifest.name);
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let finding = Diagnostic::new(&file.clone().unwrap_or_default(), Severity::Error, message);
        findings.push(finding.with_help(format!("it has {known}")));
    };
    let components: Vec<_> = manifest.components.iter().map(|it| it.name.as_str()).collect();
    for name in sidecar.components.keys().filter(|it| !components.contains(&it.as_str())) {
        unknown("component", name, components.clone());
    }
    let tasks: Vec<_> = manifest.tasks.iter().map(|it| it.name.as_str()).collect();
    for name in sidecar.tasks.keys().filter(|it| !tasks.contains(&it.as_str())) {
        unknown("task", name, tasks.clone());
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
    // The check runs code of the plugin, which may hang.
    let limit = config.reload.initialize;
    let checked = timeout(limit, plugin.check_config(&found.name, &settings)).await;
    let late = |_| {
        let limit = format_duration(limit);
        Err((String::new(), format!("the plugin did not check it within {limit}")))
    };
    if let Err((path, message)) = checked.unwrap_or_else(late) {
        let base = entry.location.key("config");
        let at = base.join(&ConfigPath::from(path.as_str()));
        // The plugin may quote values from both files.
        let message = sidecar.secrets.masked(&message);
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
        config.error_at(&path, message).with_help(has())
    })?;
    if known.role == entry.role {
        return Ok(known);
    }
    let message = format!("`{name}` has the role {}, not {}", known.role, entry.role);
    Err(config.error_at(&path, message).with_help(format!("move it to `{}:`", known.role.key())))
}
