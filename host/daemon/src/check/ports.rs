//! Checking the ports of an entry against those that its component declares.

use hotbay_plugin_api::{ChannelName, PortManifest, Role};

use hotbay_config::{ComponentEntry, Config, Diagnostics, Ports, suggestion};

/// The direction of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Inputs,
    Outputs,
}

impl Direction {
    /// Returns the ports of an entry in this direction.
    pub(super) fn of(self, entry: &ComponentEntry) -> &Ports {
        match self {
            Self::Inputs => &entry.inputs,
            Self::Outputs => &entry.outputs,
        }
    }

    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Inputs => "inputs",
            Self::Outputs => "outputs",
        }
    }
}

pub(super) type Connected = std::collections::BTreeMap<String, Vec<ChannelName>>;

/// Connects the ports of an entry to their channels.
///
/// Ports that the component does not declare, and required ports that are not connected, are added to
/// the findings.
pub(super) fn connect(
    config: &Config,
    entry: &ComponentEntry,
    declared: &[PortManifest],
    direction: Direction,
    findings: &mut Diagnostics,
) -> Connected {
    let (ports, key) = (direction.of(entry), direction.key());
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
            let names = declared.iter().map(|port| port.name.as_str());
            let help = suggestion(name, names, &known());
            findings.push(config.error_at_key(&at, message).with_help(help));
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

/// Returns `true` for the roles whose main input takes one channel, so that events keep its order.
fn takes_one(role: Role) -> bool {
    matches!(role, Role::Strategy | Role::Executor)
}
