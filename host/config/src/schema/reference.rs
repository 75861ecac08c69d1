//! The reference of all keys as a Markdown page.

use serde_json::Value;

use super::{FileKind, plain_schema};
use crate::limits::{MAX_BYTES, MAX_DEPTH, MAX_VALUES};

/// Returns the reference of the configuration and of the settings beside libraries, in Markdown.
pub fn reference() -> String {
    let mut page = format!(
        "{}\nA file may have {} MiB, {} keys and values, and lists and mappings that are nested {} \
         deep.\n",
        include_str!("introduction.md"),
        MAX_BYTES >> 20,
        MAX_VALUES,
        MAX_DEPTH
    );
    let mut before = Vec::new();
    for (kind, title) in [
        (FileKind::Configuration, "The configuration"),
        (FileKind::Settings, "The settings beside a library"),
    ] {
        let schema = plain_schema(kind);
        page.push_str(&format!("\n## {title}\n"));
        let mut chapter = Chapter {
            schema: &schema,
            page: &mut page,
            before: std::mem::take(&mut before),
            described: Vec::new(),
        };
        chapter.section("", &schema);
        let own = chapter.described.into_iter();
        before = own.map(|(name, path)| (name.to_owned(), path)).collect();
    }
    page
}

/// The part of the page about one kind of file.
struct Chapter<'s, 'p> {
    schema: &'s Value,
    page: &'p mut String,
    /// The names of the definitions that the chapter before describes, with their paths.
    before: Vec<(String, String)>,
    /// The names of the definitions that the chapter describes, with their paths.
    described: Vec<(&'s str, String)>,
}

impl<'s> Chapter<'s, '_> {
    /// Describes the keys of a mapping in a table, and then the mappings in it.
    fn section(&mut self, path: &str, schema: &'s Value) {
        if !path.is_empty() {
            self.line(&format!("\n### `{path}`\n"));
            self.line(&sentence(schema));
        }
        self.line("\n| key | value | default | |\n|---|---|---|---|");
        let required: Vec<_> = array(&schema["required"]).filter_map(Value::as_str).collect();
        let properties = schema["properties"].as_object().into_iter().flatten();
        let mut inner = Vec::new();
        for (key, property) in properties {
            let target = self.resolve(property);
            let default = match property.get("default").or_else(|| target.get("default")) {
                _ if required.contains(&key.as_str()) => "required".to_owned(),
                Some(Value::String(text)) if text.is_empty() => String::new(),
                Some(Value::String(text)) => format!("`{text}`"),
                Some(Value::Number(number)) => format!("`{number}`"),
                _ => String::new(),
            };
            let about = [sentence(property), words(target)].concat();
            let about = if about.is_empty() { sentence(target) } else { about };
            let value = self.value(property);
            self.line(&format!("| `{key}` | {value} | {default} | {about} |"));
            let base = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            self.mappings(&base, property, &mut inner);
        }
        for (path, name, schema) in inner {
            let is_new = !self.described.iter().any(|(other, _)| *other == name);
            if is_new {
                self.described.push((name, path.clone()));
                match self.before.iter().find(|(other, _)| other == name) {
                    Some((_, same)) => {
                        let text =
                            format!("As [`{same}`](#{}) in the configuration.", anchor(same));
                        self.line(&format!("\n### `{path}`\n\n{text}"));
                    }
                    None => self.section(&path, schema),
                }
            }
        }
    }

    /// Collects the mappings that a value of a key may be or contain.
    fn mappings(
        &self,
        path: &str,
        schema: &'s Value,
        into: &mut Vec<(String, &'s str, &'s Value)>,
    ) {
        if let Some(name) = definition(schema) {
            let target = self.resolve(schema);
            if target.get("properties").is_some() {
                into.push((path.to_owned(), name, target));
            } else {
                self.mappings(path, target, into);
            }
        }
        array(&schema["anyOf"]).for_each(|one| self.mappings(path, one, into));
        array(&schema["allOf"]).for_each(|one| self.mappings(path, one, into));
        if let Some(items) = schema.get("items") {
            self.mappings(&format!("{path}[]"), items, into);
        }
        if schema["additionalProperties"].is_object() {
            self.mappings(&format!("{path}.NAME"), &schema["additionalProperties"], into);
        }
    }

    /// Describes what a value may be.
    fn value(&self, schema: &'s Value) -> String {
        let target = self.resolve(schema);
        if let Some(value) = target.get("x-value").and_then(Value::as_str) {
            return value.to_owned();
        }
        let any = array(&target["anyOf"]).filter(|one| one["type"] != "null");
        let alternatives: Vec<_> = any.map(|one| self.value(one)).collect();
        if !alternatives.is_empty() {
            return alternatives.join(", or ");
        }
        if target.get("oneOf").is_some() {
            return "one of these words".to_owned();
        }
        if let Some(word) = target["const"].as_str() {
            return format!("`{word}`");
        }
        let of = |schema: &'s Value| match self.value(schema).as_str() {
            "a mapping" => " of mappings".to_owned(),
            value => format!(" of {value}"),
        };
        let number = |key: &str| target[key].as_u64().unwrap_or_default();
        let most = |key: &str| {
            target[key].as_u64().map_or(String::new(), |most| format!(", at most {most}"))
        };
        let types = if target["type"].is_array() { &target["type"][0] } else { &target["type"] };
        match types.as_str().unwrap_or_default() {
            "boolean" => "`true` or `false`".to_owned(),
            "integer" => format!("a number from {} to {}", number("minimum"), number("maximum")),
            "array" => format!("a list{}{}", of(&target["items"]), most("maxItems")),
            "object" if target["additionalProperties"].is_object() => {
                let names = of(&target["additionalProperties"]).replacen(" of", "names with", 1);
                format!("{names}{}", most("maxProperties"))
            }
            "object" => "a mapping".to_owned(),
            _ => match target.get("x-range").and_then(Value::as_str) {
                Some(range) => format!("a duration {range}"),
                None => "text".to_owned(),
            },
        }
    }

    /// Returns the definition that a schema refers to, or the schema itself.
    fn resolve(&self, schema: &'s Value) -> &'s Value {
        definition(schema).map_or(schema, |name| &self.schema["definitions"][name])
    }

    fn line(&mut self, text: &str) {
        if !text.is_empty() {
            self.page.push_str(text);
            self.page.push('\n');
        }
    }
}

/// Returns the name of the definition that a schema refers to, alone or among alternatives of one.
fn definition(schema: &Value) -> Option<&str> {
    let direct = schema["$ref"].as_str();
    let wrapped = || {
        let all = ["anyOf", "allOf"].into_iter().flat_map(|key| array(&schema[key]));
        let mut all = all.filter(|one| one["type"] != "null");
        let only = all.next()?["$ref"].as_str();
        only.filter(|_| all.next().is_none())
    };
    direct.or_else(wrapped)?.strip_prefix("#/definitions/")
}

/// Returns the name by which a link finds the heading of a path.
fn anchor(path: &str) -> String {
    path.to_lowercase().chars().filter(|it| it.is_alphanumeric() || *it == '_').collect()
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Returns the description of a schema in one line.
fn sentence(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the words that a value may be, with their meanings.
fn words(schema: &Value) -> String {
    let mut text = String::new();
    for word in array(&schema["oneOf"]) {
        let name = word["const"].as_str().unwrap_or_default();
        text.push_str(&format!(" `{name}`: {}", sentence(word)));
    }
    text
}
