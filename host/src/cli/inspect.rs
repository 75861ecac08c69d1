//! `hotbay plugin list` and `hotbay plugin inspect`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use hotbay_config::closest;
use hotbay_loader::{Inspected, LoadError, Loader, LoaderConfig, scan};
use hotbay_plugin_api::{Handover, PortManifest};
use serde_json::{Value, json};

use super::{
    Output, fail,
    output::{Page, err},
    print,
    run::refuse,
    table::{NO_BREAK, Table},
    task_spec,
    wording::one_line,
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
    let mut page = Page::default();
    match output {
        Output::Json => {
            let plugins: Vec<_> = plugins.iter().map(to_json).collect();
            let refusal = |error: &LoadError| {
                json!({
                    "file": error.path.to_string_lossy(),
                    "reason": error.refusal.code(),
                    "message": error.refusal.to_string(),
                    "remedy": error.refusal.remedy(),
                })
            };
            let refused: Vec<_> = refused.iter().map(refusal).collect();
            page.json(&json!({ "plugins": plugins, "refused": refused }));
        }
        Output::Table => {
            let mut table = Table::new(["plugin", "version", "brings", "file"]);
            for plugin in &plugins {
                table.row([
                    plugin.manifest.name.clone(),
                    plugin.manifest.version.clone(),
                    brings(plugin),
                    plugin.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                ]);
            }
            if plugins.is_empty() {
                page.line(format_args!("{} holds no plugin", folder.display()));
            } else {
                page.table(&table);
            }
            refused.iter().for_each(err);
        }
    }
    print(page, ExitCode::SUCCESS)
}

pub(super) async fn inspect(path: &Path, output: Output) -> ExitCode {
    let loader = match loader() {
        Ok(loader) => loader,
        Err(code) => return code,
    };
    let plugin = match loader.inspect(path, &Arc::default()).await {
        Ok(plugin) => plugin,
        Err(error) => {
            let code = refuse(&error);
            if let Some(likely) = similar_file(path) {
                err(format_args!("did you mean {}?", likely.display()));
            }
            return code;
        }
    };
    let mut page = Page::default();
    match output {
        Output::Json => page.json(&to_json(&plugin)),
        Output::Table => describe(&mut page, &plugin),
    }
    print(page, ExitCode::SUCCESS)
}

/// Returns the plugin beside a missing file whose name is similar.
fn similar_file(path: &Path) -> Option<PathBuf> {
    if path.exists() {
        return None;
    }
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let files = scan(folder).ok()?;
    let names = || files.iter().filter_map(|file| file.file_name()?.to_str());
    let found = path.file_name()?.to_str()?;
    // The name of a plugin stands for its file.
    let library = format!("lib{}.so", found.replace('-', "_"));
    let likely = closest(found, names()).or_else(|| closest(&library, names()))?;
    files.iter().find(|file| file.file_name().is_some_and(|name| name == likely)).cloned()
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
        "file": plugin.path.to_string_lossy(),
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
    let named = |what: &str, name: &str| format!("{what} `{name}`").replace(' ', NO_BREAK);
    let components = plugin.manifest.components.iter();
    let mut brings: Vec<_> =
        components.map(|component| named(&component.role.to_string(), &component.name)).collect();
    brings.extend(plugin.manifest.tasks.iter().map(|task| named("task", &task.name)));
    brings.extend(plugin.manifest.task_kinds.iter().map(|kind| named("task kind", &kind.name)));
    brings.join(", ")
}

fn describe(page: &mut Page, plugin: &Inspected) {
    let (manifest, descriptor) = (&plugin.manifest, &plugin.descriptor);
    let description = one_line(&manifest.description);
    page.line(format_args!("{} {}  {description}", manifest.name, manifest.version));
    page.line(format_args!("  file    {}", plugin.path.display()));
    page.line(format_args!("  sha256  {}", plugin.hash()));
    page.line(format_args!("  built   {} for {}", descriptor.rustc, descriptor.target));
    page.line(format_args!("  API     {}", descriptor.api_version));
    if descriptor.aborts_on_panic {
        page.line("  WARN    built with `panic = \"abort\"`: a panic in it ends the host");
    }
    let unloads = if plugin.unloading.is_possible() { "yes" } else { "no" };
    page.line(format_args!("  unload  {unloads}"));
    for note in plugin.unloading.notes() {
        page.line(format_args!("          {note}"));
    }
    for task in &manifest.tasks {
        page.blank();
        page.line(format_args!("task `{}`  {}", task.name, one_line(&task.description)));
        page.line(format_args!("  {}", task_spec::describe(task)));
        settings(page, "argument", &task.arguments);
    }
    for kind in &manifest.task_kinds {
        page.blank();
        page.line(format_args!("task kind `{}`  {}", kind.name, one_line(&kind.description)));
        page.line(format_args!("  {}", task_spec::function(kind.function)));
        settings(page, "parameter", &kind.parameters);
    }
    for component in &manifest.components {
        let (role, name) = (component.role, &component.name);
        page.blank();
        page.line(format_args!("{role} `{name}`  {}", one_line(&component.description)));
        ports(page, "inputs", &component.inputs);
        ports(page, "outputs", &component.outputs);
        for resource in &component.resources {
            page.line(format_args!("  holds {}", one_line(resource)));
        }
        if component.handover == Handover::Exclusive {
            page.line("  a build is suspended before the next one is made");
        }
        settings(page, "config", &component.config_schema);
    }
}

fn ports(page: &mut Page, title: &str, ports: &[PortManifest]) {
    for port in ports {
        let need = if port.required { "" } else { " (optional)" };
        let types: Vec<_> = port.events.iter().map(ToString::to_string).collect();
        let types =
            if types.is_empty() { String::new() } else { format!(" [{}]", types.join(", ")) };
        let description = one_line(&port.description);
        page.line(format_args!("  {title}: {}{need}{types}  {description}", port.name));
    }
}

/// Adds the keys of a configuration or of arguments, which their JSON schema describes.
fn settings(page: &mut Page, what: &str, schema: &Value) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    let required = |name: &str| {
        let required = schema.get("required").and_then(Value::as_array);
        required.is_some_and(|names| names.iter().any(|known| known == name))
    };
    let mut table = Table::new([what, "type", "default", "meaning"]);
    for (name, property) in properties {
        let default = match property.get("default") {
            Some(default) => default.to_string(),
            None if required(name) => "required".to_owned(),
            None => String::new(),
        };
        let meaning = property.get("description").and_then(Value::as_str).unwrap_or_default();
        table.row([name.clone(), kind(property), default, one_line(meaning)]);
    }
    page.table(&table);
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
