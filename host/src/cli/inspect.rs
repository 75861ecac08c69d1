//! `hotbay plugin list` and `hotbay plugin inspect`.

use std::{path::Path, process::ExitCode, sync::Arc};

use comfy_table::{ContentArrangement, Table, presets};
use hotbay_loader::{Inspected, LoadError, Loader, LoaderConfig, scan};
use hotbay_plugin_api::PortManifest;
use serde_json::{Value, json};

use super::{
    Output, fail,
    run::{refuse, width},
    task_spec,
};

pub(super) async fn list(folder: &Path, output: Output) -> ExitCode {
    let files = match scan(folder) {
        Ok(files) => files,
        Err(error) => {
            return fail(&format!("{}: {error}; name a folder of plugins", folder.display()));
        }
    };
    let loader = match loader() {
        Ok(loader) => loader,
        Err(code) => return code,
    };
    let (mut plugins, mut refused) = (Vec::new(), Vec::new());
    for file in files {
        match loader.inspect(&file, &Arc::default()).await {
            Ok(plugin) => plugins.push(plugin),
            Err(error) => refused.push(error),
        }
    }
    match output {
        Output::Json => {
            let plugins: Vec<_> = plugins.iter().map(to_json).collect();
            let refusal = |error: &LoadError| {
                json!({
                    "file": error.path,
                    "reason": error.refusal.code(),
                    "message": error.refusal.to_string(),
                    "remedy": error.refusal.remedy(),
                })
            };
            let refused: Vec<_> = refused.iter().map(refusal).collect();
            println!("{:#}", json!({ "plugins": plugins, "refused": refused }));
        }
        Output::Table => {
            let mut table = table();
            table.set_header(["plugin", "version", "brings", "file"]);
            for plugin in &plugins {
                table.add_row([
                    plugin.manifest.name.clone(),
                    plugin.manifest.version.clone(),
                    brings(plugin),
                    plugin.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                ]);
            }
            if plugins.is_empty() {
                println!("{} holds no plugin", folder.display());
            } else {
                println!("{table}");
            }
            refused.iter().for_each(|error| eprintln!("{error}"));
        }
    }
    ExitCode::SUCCESS
}

pub(super) async fn inspect(path: &Path, output: Output) -> ExitCode {
    let loader = match loader() {
        Ok(loader) => loader,
        Err(code) => return code,
    };
    let plugin = match loader.inspect(path, &Arc::default()).await {
        Ok(plugin) => plugin,
        Err(error) => return refuse(&error),
    };
    match output {
        Output::Json => println!("{:#}", to_json(&plugin)),
        Output::Table => describe(&plugin),
    }
    ExitCode::SUCCESS
}

/// Makes a loader with the default configuration.
pub(super) fn loader() -> Result<Loader, ExitCode> {
    Loader::new(LoaderConfig::default()).map_err(|error| fail(&error.to_string()))
}

fn to_json(plugin: &Inspected) -> Value {
    let mut unloading = json!(plugin.unloading);
    unloading["possible"] = plugin.unloading.is_possible().into();
    unloading["notes"] = plugin.unloading.notes().into();
    json!({
        "file": plugin.path,
        "sha256": plugin.hash(),
        "api": plugin.descriptor.api_version,
        "rustc": plugin.descriptor.rustc,
        "target": plugin.descriptor.target,
        "aborts_on_panic": plugin.descriptor.aborts_on_panic,
        "unloading": unloading,
        "manifest": plugin.manifest,
    })
}

fn brings(plugin: &Inspected) -> String {
    let components = plugin.manifest.components.iter();
    let mut brings: Vec<_> =
        components.map(|component| format!("{} `{}`", component.role, component.name)).collect();
    brings.extend(plugin.manifest.tasks.iter().map(|task| format!("task `{}`", task.name)));
    let kinds = plugin.manifest.task_kinds.iter();
    brings.extend(kinds.map(|kind| format!("task kind `{}`", kind.name)));
    brings.join(", ")
}

fn describe(plugin: &Inspected) {
    let (manifest, descriptor) = (&plugin.manifest, &plugin.descriptor);
    println!("{} {}  {}", manifest.name, manifest.version, manifest.description);
    println!("  file    {}", plugin.path.display());
    println!("  sha256  {}", plugin.hash());
    println!("  built   {} for {}", descriptor.rustc, descriptor.target);
    println!("  API     {}", descriptor.api_version);
    if descriptor.aborts_on_panic {
        println!("  WARN    built with `panic = \"abort\"`: a panic in it ends the host");
    }
    println!("  unload  {}", if plugin.unloading.is_possible() { "yes" } else { "no" });
    plugin.unloading.notes().iter().for_each(|note| println!("          {note}"));
    for task in &manifest.tasks {
        println!("\ntask `{}`  {}\n  {}", task.name, task.description, task_spec::describe(task));
        settings("argument", &task.arguments);
    }
    for kind in &manifest.task_kinds {
        println!(
            "\ntask kind `{}`  {}\n  {}",
            kind.name,
            kind.description,
            task_spec::function(kind.function)
        );
        settings("parameter", &kind.parameters);
    }
    for component in &manifest.components {
        println!("\n{} `{}`  {}", component.role, component.name, component.description);
        ports("inputs", &component.inputs);
        ports("outputs", &component.outputs);
        settings("config", &component.config_schema);
    }
}

fn ports(title: &str, ports: &[PortManifest]) {
    for port in ports {
        let need = if port.required { "" } else { " (optional)" };
        let types: Vec<_> = port.events.iter().map(ToString::to_string).collect();
        let types =
            if types.is_empty() { String::new() } else { format!(" [{}]", types.join(", ")) };
        println!("  {title}: {}{need}{types}  {}", port.name, port.description);
    }
}

/// Prints the keys of a configuration or of arguments, which their JSON schema describes.
fn settings(what: &str, schema: &Value) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    let required = |name: &str| {
        let required = schema.get("required").and_then(Value::as_array);
        required.is_some_and(|names| names.iter().any(|known| known == name))
    };
    let mut table = table();
    table.set_header([what, "type", "default", "meaning"]);
    for (name, property) in properties {
        let default = match property.get("default") {
            Some(default) => default.to_string(),
            None if required(name) => "required".to_owned(),
            None => String::new(),
        };
        let meaning = property.get("description").and_then(Value::as_str).unwrap_or_default();
        table.add_row([name.clone(), kind(property), default, meaning.replace('\n', " ")]);
    }
    println!("{table}");
}

fn kind(property: &Value) -> String {
    match property.get("type") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
        }
        _ => "see --output json".to_owned(),
    }
}

/// Makes an empty table. On a terminal, the table is as wide as the terminal at most.
pub(super) fn table() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    match width() {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    table
}
