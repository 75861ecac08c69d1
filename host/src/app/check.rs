//! Holding the configuration against what the plugins bring.

use hotbay_plugin_api::{ChannelName, ComponentManifest, PortManifest};

use super::{
    plugins::Plugins,
    tasks,
    wiring::{Wired, Wiring},
};
use crate::{
    config::{ComponentEntry, Config, ConfigPath, Diagnostic, Diagnostics, Role},
    plugin::{Connections, Generation},
};

/// Finds every problem; what is sound is in the wiring.
pub(super) async fn check(
    config: &Config,
    plugins: &Plugins,
    findings: &mut Diagnostics,
) -> Wiring {
    let mut wiring = Wiring { tasks: tasks::check(config, plugins, findings), ..Wiring::default() };
    for entry in config.pipeline.iter().flat_map(|pipeline| pipeline.components()) {
        if let Some(wired) = component(config, plugins, entry, findings).await {
            wiring.components.push(wired);
        }
    }
    wiring
}

async fn component(
    config: &Config,
    plugins: &Plugins,
    entry: &ComponentEntry,
    findings: &mut Diagnostics,
) -> Option<Wired> {
    let Some(plugin) = plugins.get(&entry.plugin) else {
        let message = format!("plugin `{}` is not loaded", entry.plugin);
        let finding = config.error_at(&entry.location.key("plugin"), message);
        findings.push(finding.with_help(plugins.names()));
        return None;
    };
    let found = match find(config, plugin, entry) {
        Ok(found) => found,
        Err(finding) => {
            findings.push(finding);
            return None;
        }
    };
    let inputs = connect(config, entry, &found.inputs, Direction::Inputs, findings);
    let outputs = connect(config, entry, &found.outputs, Direction::Outputs, findings);
    if let Err((path, message)) = plugin.check_config(&found.name, &entry.config).await {
        let base = entry.location.key("config");
        let at = base.join(&ConfigPath::from(path.as_str()));
        findings.push(config.error_at(&at, message).with_help(format!(
            "`hotbay plugin inspect` shows what `{}` of plugin `{}` takes",
            found.name, entry.plugin
        )));
    }
    Some(Wired {
        role: entry.role,
        id: entry.id.clone(),
        plugin: entry.plugin.clone(),
        component: found.name.clone(),
        connections: Connections { inputs, outputs },
        config: entry.config.clone(),
    })
}

/// The component that an entry means.
fn find<'p>(
    config: &Config,
    plugin: &'p Generation,
    entry: &ComponentEntry,
) -> Result<&'p ComponentManifest, Diagnostic> {
    let manifest = &plugin.info().manifest;
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Inputs,
    Outputs,
}

impl Direction {
    fn key(self) -> &'static str {
        match self {
            Self::Inputs => "inputs",
            Self::Outputs => "outputs",
        }
    }
}

type Connected = std::collections::BTreeMap<String, Vec<ChannelName>>;

/// Holds an entry's ports against those that its component declares.
fn connect(
    config: &Config,
    entry: &ComponentEntry,
    declared: &[PortManifest],
    direction: Direction,
    findings: &mut Diagnostics,
) -> Connected {
    let (ports, key) = match direction {
        Direction::Inputs => (&entry.inputs, direction.key()),
        Direction::Outputs => (&entry.outputs, direction.key()),
    };
    let location = entry.location.key(key);
    let known = || {
        let names: Vec<_> = declared.iter().map(|port| format!("`{}`", port.name)).collect();
        if names.is_empty() {
            format!("it has no {key}")
        } else {
            format!("its {key} are {}", names.join(", "))
        }
    };
    let mut connected = Connected::new();
    for used in ports.uses() {
        let port = match used.port {
            Some(name) => declared.iter().find(|port| port.name == name),
            None => declared.first(),
        };
        let Some(port) = port else {
            let name = used.port.unwrap_or("(first)");
            let message = format!("`{}` has no port `{name}` among its {key}", entry.id);
            let at = used.port.map_or_else(|| location.clone(), |name| location.key(name));
            findings.push(config.error_at_key(&at, message).with_help(known()));
            continue;
        };
        connected.entry(port.name.clone()).or_default().push(used.channel.into());
    }
    for port in declared.iter().filter(|port| port.required && !connected.contains_key(&port.name))
    {
        let message = format!("`{}` needs its port `{}` connected", entry.id, port.name);
        let at = if ports.is_empty() { entry.location.clone() } else { location.clone() };
        let help = format!("write `{key}: {{ {}: CHANNEL }}`", port.name);
        findings.push(config.error_at(&at, message).with_help(help));
    }
    let takes_one = direction == Direction::Inputs && takes_one(entry.role);
    let main = declared.first().and_then(|port| connected.get(&port.name));
    if takes_one && main.is_some_and(|channels| channels.len() > 1) {
        let message = format!("the main input of `{}` takes one channel", entry.id);
        let help = "merge them in the aggregator, or add one component for each";
        findings.push(config.error_at(&location, message).with_help(help));
    }
    connected
}

/// Strategies and executors listen to one channel, in its order.
fn takes_one(role: Role) -> bool {
    matches!(role, Role::Strategy | Role::Executor)
}
