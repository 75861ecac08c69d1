//! Checking the event types of connected ports against each other.

use hotbay_plugin_api::{EventTypeSpec, Manifest, PortManifest};

use super::{find, ports::Direction};
use hotbay_config::{ComponentEntry, Config, ConfigPath, Diagnostics};

/// One channel at one port of a component.
#[derive(Debug)]
struct Connection<'a> {
    component: &'a str,
    port: &'a PortManifest,
    channel: &'a str,
    place: ConfigPath,
}

/// Reports inputs that are connected to an output which has no event type in common with them.
///
/// A port that does not name its types fits to any port. The ports of a plugin that is not loaded
/// are checked when it is loaded.
pub(crate) fn event_types<'a>(
    config: &'a Config,
    manifest: impl Fn(&str) -> Option<&'a Manifest>,
    findings: &mut Diagnostics,
) {
    let (mut outputs, mut inputs) = (Vec::new(), Vec::new());
    for entry in config.pipeline.iter().flat_map(|pipeline| pipeline.components()) {
        let Some(manifest) = manifest(&entry.plugin) else { continue };
        // Problems of the entry itself were reported already.
        let Ok(found) = find(config, manifest, entry) else { continue };
        outputs.extend(connections(entry, &found.outputs, Direction::Outputs));
        inputs.extend(connections(entry, &found.inputs, Direction::Inputs));
    }
    for (output, input) in mismatches(&outputs, &inputs) {
        let message = format!(
            "input `{}` of `{}` takes {}, but output `{}` of `{}` publishes {} on channel `{}`",
            input.port.name,
            input.component,
            names(&input.port.events),
            output.port.name,
            output.component,
            names(&output.port.events),
            input.channel
        );
        let help = format!("connect `{}` to a channel with events that it takes", input.port.name);
        findings.push(config.error_at(&input.place, message).with_help(help));
    }
}

/// Returns the connections of those ports of an entry that its component declares.
fn connections<'a>(
    entry: &'a ComponentEntry,
    declared: &'a [PortManifest],
    direction: Direction,
) -> impl Iterator<Item = Connection<'a>> {
    let (ports, location) = (direction.of(entry), entry.location.key(direction.key()));
    ports.uses().filter_map(move |used| {
        let port = match used.port {
            Some(name) => declared.iter().find(|port| port.name == name),
            None => declared.first(),
        };
        let place = used.path(&location);
        Some(Connection { component: &entry.id, port: port?, channel: used.channel, place })
    })
}

/// Returns the pairs of ports on one channel that both name their types and have none in common.
fn mismatches<'c, 'a>(
    outputs: &'c [Connection<'a>],
    inputs: &'c [Connection<'a>],
) -> impl Iterator<Item = (&'c Connection<'a>, &'c Connection<'a>)> {
    let pairs = inputs.iter().flat_map(|input| outputs.iter().map(move |output| (output, input)));
    pairs.filter(|(output, input)| {
        let (gives, takes) = (&output.port.events, &input.port.events);
        output.channel == input.channel
            && !gives.is_empty()
            && !takes.is_empty()
            && !gives.iter().any(|one| takes.iter().any(|other| one.is_same_type(other)))
    })
}

fn names(types: &[EventTypeSpec]) -> String {
    types.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(types: &[(&str, u32)]) -> PortManifest {
        let spec = |&(name, version): &(&str, u32)| EventTypeSpec {
            name: name.to_owned(),
            version,
            schema: serde_json::Value::Null,
        };
        PortManifest {
            name: "port".to_owned(),
            description: String::new(),
            required: true,
            events: types.iter().map(spec).collect(),
        }
    }

    fn at<'a>(channel: &'a str, port: &'a PortManifest) -> Connection<'a> {
        Connection { component: "component", port, channel, place: ConfigPath::root() }
    }

    /// Returns `true` if an output and an input with these types may share a channel.
    fn connects(gives: &[(&str, u32)], takes: &[(&str, u32)]) -> bool {
        let (output, input) = (port(gives), port(takes));
        mismatches(&[at("raw", &output)], &[at("raw", &input)]).next().is_none()
    }

    #[test]
    fn ports_with_a_type_in_common_connect() {
        assert!(connects(&[("tick", 1)], &[("tick", 1)]));
        assert!(connects(&[("tick", 1), ("quote", 1)], &[("quote", 1), ("bar", 1)]));
    }

    #[test]
    fn another_type_or_another_version_does_not_connect() {
        assert!(!connects(&[("tick", 1)], &[("quote", 1)]));
        assert!(!connects(&[("tick", 1)], &[("tick", 2)]));
    }

    #[test]
    fn a_port_that_tells_no_type_connects_to_any() {
        assert!(connects(&[], &[("tick", 1)]));
        assert!(connects(&[("tick", 1)], &[]));
        assert!(connects(&[], &[]));
    }

    #[test]
    fn ports_on_different_channels_need_have_nothing_in_common() {
        let (output, input) = (port(&[("tick", 1)]), port(&[("quote", 1)]));
        assert!(mismatches(&[at("raw", &output)], &[at("merged", &input)]).next().is_none());
    }
}
