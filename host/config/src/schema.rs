//! The JSON Schemas of the files that a host reads, and a reference for people. Both are made from
//! the types that the files are read into, so the documentation of a key is that of its field.

mod reference;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

use super::entries::{ChannelEntry, Pipeline, Plugins, Reload, Shutdown, TaskEntry};
use super::sidecar::Sidecar;
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
    /// The channels between components, by name. The name is what `inputs` and `outputs` say. At
    /// most 10000.
    #[schemars(default)]
    channels: BTreeMap<String, ChannelEntry>,
    /// The components that are connected by channels. Without it, the host runs tasks only.
    pipeline: Option<Pipeline>,
    /// What differs from the manifests of the plugins' tasks, and from the settings beside their
    /// libraries. At most 10000.
    #[schemars(default)]
    tasks: Vec<TaskEntry>,
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
/// A value may be a text with a variable (`${VAR}`) wherever the type is a number, a boolean or one
/// of several words.
pub fn schema(kind: FileKind) -> Value {
    let mut schema = plain_schema(kind);
    allow_variables(&mut schema);
    schema
}

/// Returns the schema without variables.
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

fn allow_variables(schema: &mut Value) {
    let is_word = schema.get("const").is_some() || schema.get("enum").is_some();
    let types = schema.get("type").cloned().unwrap_or_default();
    let names = types.as_array().map_or(vec![&types], |types| types.iter().collect());
    if is_word || names.iter().any(|it| *it == "integer" || *it == "boolean") {
        let plain = schema.take();
        let description = plain.get("description").cloned();
        *schema = json!({ "anyOf": [plain, { "type": "string", "pattern": "\\$\\{.*\\}" }] });
        if let Some(description) = description {
            schema["description"] = description;
        }
        return;
    }
    if let Some(one_of) = schema.as_object_mut().and_then(|it| it.remove("oneOf")) {
        schema["anyOf"] = one_of;
    }
    children(schema).for_each(allow_variables);
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
}
