//! The JSON Schemas of the files that a host reads, and a reference for people. Both are made from
//! the types that the files are read into, so the documentation of a key is that of its field.

mod reference;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

use super::entries::{ChannelEntry, History, Limits, Pipeline, Plugins, Reload, Shutdown};
use super::limits::MAX_CHANNELS;
use super::sidecar::Sidecar;
use super::tasks::TaskEntries;
use super::values::PathText;

pub use reference::reference;

/// A file that a host reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// The configuration of `hotbay run`.
    Configuration,
    /// The settings beside a plugin's library.
    Settings,
}

/// The configuration of a host.
#[derive(JsonSchema)]
#[schemars(rename = "Configuration", deny_unknown_fields)]
#[expect(dead_code, reason = "the sections are read one by one; this type is their schema")]
struct File {
    plugins: Plugins,
    /// The channels between components, by name. The name is what `inputs` and `outputs` say.
    #[schemars(default, extend("maxProperties" = MAX_CHANNELS))]
    channels: BTreeMap<String, ChannelEntry>,
    /// The components that are connected by channels. Without it, the host runs tasks only.
    pipeline: Option<Pipeline>,
    /// What differs from the manifests of the plugins' tasks, and from the settings beside their
    /// libraries.
    tasks: Option<TaskEntries>,
    #[schemars(default)]
    limits: Limits,
    #[schemars(default)]
    history: History,
    #[schemars(default)]
    reload: Reload,
    /// The folder for the host's status and records, which outlive the process. Without it, that is
    /// `.hotbay/NAME` beside `NAME.yaml`. A relative path is resolved against the folder of the
    /// configuration.
    state_folder: Option<PathText>,
    #[schemars(default)]
    shutdown: Shutdown,
}

/// Returns the JSON Schema of a kind of file, for editors and other tools.
///
/// A value may be a text with a variable (`${VAR}`) wherever the type is a number, a boolean, one of
/// several words, or a text with a certain pattern. A key that may be left out may have no value.
pub fn schema(kind: FileKind) -> Value {
    let mut schema = plain_schema(kind);
    allow_nothing(&mut schema);
    allow_variables(&mut schema);
    schema
}

/// Returns the schema with neither variables nor keys without a value.
fn plain_schema(kind: FileKind) -> Value {
    let generator = SchemaSettings::draft07().into_generator();
    let schema = match kind {
        FileKind::Configuration => generator.into_root_schema_for::<File>(),
        FileKind::Settings => generator.into_root_schema_for::<Sidecar>(),
    };
    let mut schema = schema.to_value();
    write_durations(&mut schema);
    schema
}

/// Writes the defaults of durations as the files have them.
fn write_durations(schema: &mut Value) {
    if let Some(Value::Object(default)) = schema.get_mut("default")
        && let (Some(seconds), Some(nanos)) = (default.get("secs"), default.get("nanos"))
        && let (Some(seconds), Some(nanos)) = (seconds.as_u64(), nanos.as_u64())
    {
        let duration = Duration::from_secs(seconds) + Duration::from_nanos(nanos);
        schema["default"] = humantime::format_duration(duration).to_string().into();
    }
    children(schema).for_each(write_durations);
}

/// Lets the keys that may be left out have no value.
fn allow_nothing(schema: &mut Value) {
    let required = schema.get("required").cloned().unwrap_or_default();
    let is_required = |key: &str| required.as_array().is_some_and(|it| it.contains(&key.into()));
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (_, property) in properties.into_iter().flatten().filter(|(key, _)| !is_required(key)) {
        let nothing = json!({ "type": "null" });
        if let Some(types) = property.get_mut("type") {
            // A list of types is that of an `Option`, and has `null` already.
            if types.is_string() {
                *types = json!([types, "null"]);
            }
        } else if let Some(Value::Array(alternatives)) = property.get_mut("anyOf") {
            if !alternatives.contains(&nothing) {
                alternatives.push(nothing);
            }
        } else {
            add_alternative(property, nothing);
        }
    }
    children(schema).for_each(allow_nothing);
}

/// Lets values have variables where the schema would refuse the text of one.
fn allow_variables(schema: &mut Value) {
    let is_word = ["const", "enum", "pattern"].iter().any(|key| schema.get(key).is_some());
    let types = schema.get("type").cloned().unwrap_or_default();
    let names = types.as_array().map_or(vec![&types], |types| types.iter().collect());
    if is_word || names.iter().any(|it| *it == "integer" || *it == "boolean") {
        add_alternative(schema, json!({ "type": "string", "pattern": "\\$\\{.*\\}" }));
        return;
    }
    if let Some(one_of) = schema.as_object_mut().and_then(|it| it.remove("oneOf")) {
        schema["anyOf"] = one_of;
    }
    children(schema).for_each(allow_variables);
}

/// Turns a schema into one that also allows what another one does. The description stays outermost,
/// where editors look for it.
fn add_alternative(schema: &mut Value, other: Value) {
    let plain = schema.take();
    let description = plain.get("description").cloned();
    *schema = json!({ "anyOf": [plain, other] });
    if let Some(description) = description {
        schema["description"] = description;
    }
}

/// Returns the schemas inside of a schema.
fn children(schema: &mut Value) -> impl Iterator<Item = &mut Value> {
    let parts = schema.as_object_mut().into_iter().flatten();
    parts.flat_map(|(key, part)| -> Box<dyn Iterator<Item = &mut Value>> {
        match (key.as_str(), part) {
            ("properties" | "definitions", Value::Object(named)) => Box::new(named.values_mut()),
            ("anyOf" | "oneOf" | "allOf", Value::Array(all)) => Box::new(all.iter_mut()),
            ("items" | "additionalProperties", part) => Box::new(std::iter::once(part)),
            _ => Box::new(std::iter::empty()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_the_reference_is_current() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
        let written = std::fs::read_to_string(page).unwrap_or_default();
        let remedy =
            "run `cargo run -p hotbay -- schema --format markdown > docs/configuration.md`";
        assert!(written == reference(), "docs/configuration.md is not current; {remedy}");
    }

    #[test]
    fn the_schema_has_the_sections_that_are_read() {
        let schema = schema(FileKind::Configuration);
        let keys: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, crate::read::SECTIONS);
        assert_eq!(schema["additionalProperties"], false);
    }

    #[test]
    fn a_key_of_the_schema_has_its_documentation_range_and_default() {
        let schema = schema(FileKind::Configuration);
        let settle = &schema["definitions"]["Reload"]["properties"]["settle"];
        assert_eq!(settle["default"], "300ms");
        assert_eq!(settle["x-range"], "from 0s to 1h");
        assert!(settle["description"].as_str().unwrap().contains("unchanged"), "{settle}");
        let threads = &schema["definitions"]["PluginSettings"]["properties"]["threads"];
        let (number, variable) = (&threads["anyOf"][0], &threads["anyOf"][1]);
        assert_eq!((&number["minimum"], &number["maximum"]), (&json!(1), &json!(1024)));
        assert_eq!(variable["type"], "string");
    }
    /// Returns all schemas that a schema consists of.
    fn all(schema: &mut Value) -> Vec<Value> {
        let mut found = vec![schema.clone()];
        children(schema).for_each(|inner| found.extend(all(inner)));
        found
    }

    #[test]
    fn a_key_that_may_be_left_out_may_have_no_value() {
        for kind in [FileKind::Configuration, FileKind::Settings] {
            for schema in all(&mut schema(kind)) {
                let required = schema["required"].as_array().cloned().unwrap_or_default();
                let keys = schema["properties"].as_object().cloned().unwrap_or_default();
                for (key, mut value) in keys {
                    let allows_null = all(&mut value).iter().any(|it| {
                        it["type"] == "null"
                            || it["type"]
                                .as_array()
                                .is_some_and(|types| types.contains(&"null".into()))
                    });
                    assert_eq!(
                        allows_null,
                        !required.contains(&key.clone().into()),
                        "{key}: {value}"
                    );
                }
            }
        }
    }

    #[test]
    fn each_value_that_is_checked_may_be_a_variable_instead() {
        let all = all(&mut schema(FileKind::Configuration));
        let hash = all.iter().find(|it| it["pattern"] == "^[0-9A-Fa-f]{64}$").unwrap();
        let variable = json!({ "type": "string", "pattern": "\\$\\{.*\\}" });
        assert!(all.contains(&json!({ "anyOf": [hash, variable] })));
        // The format `duration` of JSON Schema is another one: `PT5S`.
        assert!(all.iter().all(|it| it.get("format").is_none()));
    }

    #[test]
    fn the_schema_has_the_limits_of_lists() {
        let schema = schema(FileKind::Configuration);
        assert_eq!(schema["properties"]["channels"]["maxProperties"], MAX_CHANNELS);
        assert_eq!(
            schema["properties"]["tasks"]["anyOf"][0]["anyOf"][0]["maxItems"],
            crate::limits::MAX_TASKS
        );
        let connectors = &schema["definitions"]["Pipeline"]["properties"]["connectors"];
        assert_eq!((&connectors["minItems"], &connectors["maxItems"]), (&json!(1), &json!(1_000)));
    }
}
