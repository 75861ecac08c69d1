//! `hotbay status` and `hotbay plugin list --config`: the status of a running host.

use std::{collections::BTreeMap, path::Path, process::ExitCode};

use hotbay_config::Config;
use hotbay_daemon::{BuildState, Status, TrustStatus, read_status};
use hotbay_loader::{TrustMode, TrustedBy};
use hotbay_store::{record::Replacement, short_hash};

use super::{NOT_RUNNING, Output, fail, inspect::table, report};

/// Prints the status of the host that runs with this configuration.
pub(super) fn status(config: &Path, output: Output) -> ExitCode {
    show(config, output, |status| {
        println!(
            "process {}, changes are followed by {}",
            status.pid,
            match status.watching.as_str() {
                "inotify" => "events of the system",
                "polling" => "looking again and again",
                _ => "nothing",
            }
        );
        println!("{}", trust(status.trust));
        if let Some(refused) = &status.configuration_refused {
            println!(
                "\nthe configuration on disk is refused, the previous one stays in force:\n{refused}"
            );
        }
        components(status);
        tasks(status);
        numbers("counters", &status.counters);
        numbers("gauges", &status.gauges);
        println!();
        plugins(status);
    })
}

fn trust(trust: TrustStatus) -> String {
    let mode = match trust.mode {
        TrustMode::Off => "plugins are loaded whoever vouches for them",
        TrustMode::Warn => "plugins for which nobody vouches are loaded with a warning",
        TrustMode::Enforce => "plugins for which nobody vouches are refused",
    };
    match trust.overrides {
        Some(said) if said > trust.mode => {
            format!("WARN: {mode}: `--trust {}` overrides `trust: {said}`", trust.mode)
        }
        Some(_) | None => mode.to_owned(),
    }
}

/// Prints the plugins of the host that runs with this configuration.
pub(super) fn list(config: &Path, output: Output) -> ExitCode {
    show(config, output, plugins)
}

fn show(config: &Path, output: Output, print: impl FnOnce(&Status)) -> ExitCode {
    // The configuration may be wrong while it is being edited. Its host still runs.
    let folder = match Config::load(config, &|name| std::env::var(name)) {
        Ok(config) => config.state_folder,
        Err(_) => Config::usual_state_folder(config),
    };
    match read_status(&folder) {
        Ok(Some(status)) => {
            match output {
                Output::Table => print(&status),
                Output::Json => match serde_json::to_string_pretty(&status) {
                    Ok(json) => println!("{json}"),
                    Err(error) => return fail(&format!("the status can't be written: {error}")),
                },
            }
            ExitCode::SUCCESS
        }
        Ok(None) => {
            eprintln!(
                "hotbay: no host runs with {}, or it does not follow changes; start one with \
                 `hotbay run`",
                config.display()
            );
            ExitCode::from(NOT_RUNNING)
        }
        Err(error) => fail(&format!("{}: {error}", folder.display())),
    }
}

fn components(status: &Status) {
    if status.components.is_empty() {
        return;
    }
    let mut table = table();
    table.set_header(["component", "role", "plugin", "status", "turns", "events"]);
    for it in &status.components {
        let state = match (&it.waits_for, &it.error) {
            (Some(what), _) => format!("waits for {what}"),
            (None, Some(error)) => format!("{}: {error}", it.status),
            (None, None) => it.status.clone(),
        };
        let (turns, events) = (it.turns.to_string(), it.events.to_string());
        table.add_row([&it.id, &it.role, &it.plugin, &state, &turns, &events]);
    }
    println!("\n{table}");
}

fn tasks(status: &Status) {
    if status.tasks.is_empty() {
        return;
    }
    let mut table = table();
    table.set_header(["task", "schedule", "runs", "failed", "now"]);
    for it in &status.tasks {
        let now = match (&it.waits_for, &it.last_error) {
            (Some(what), _) => format!("waits for {what}"),
            (None, Some(error)) => format!("failed last with: {error}"),
            (None, None) => String::new(),
        };
        let (runs, failed) = (it.runs.to_string(), it.failed.to_string());
        table.add_row([&it.id, &it.schedule, &runs, &failed, &now]);
    }
    println!("\n{table}");
}

fn numbers<N: serde::Serialize>(title: &str, numbers: &BTreeMap<String, N>) {
    if let Some(table) = report::table(&report::numbers(numbers)) {
        println!("\n{title}\n{table}");
    }
}

fn plugins(status: &Status) {
    let mut table = table();
    table.set_header([
        "plugin",
        "version",
        "build",
        "state",
        "threads",
        "mapped",
        "sha256",
        "trusted by",
        "file",
    ]);
    for it in &status.plugins {
        let state = match it.state {
            BuildState::InService => "in service".to_owned(),
            BuildState::OnProbation => "on probation".to_owned(),
            BuildState::StandingBy => "standing by".to_owned(),
            BuildState::Leaked => format!("leaked: {}", it.reason.clone().unwrap_or_default()),
        };
        table.add_row([
            it.name.clone(),
            it.version.clone(),
            it.generation.to_string(),
            state,
            it.threads.to_string(),
            format!("{} KiB", it.mapped_bytes / 1024),
            short_hash(&it.hash).to_owned(),
            match &it.trusted_by {
                TrustedBy::Pin => "its pin".to_owned(),
                TrustedBy::Signature { key, .. } => format!("key {key}"),
                TrustedBy::Nobody => "nobody".to_owned(),
            },
            it.file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        ]);
    }
    if status.plugins.is_empty() {
        println!("no plugin is loaded");
    } else {
        println!("{table}");
    }
    for it in &status.refused {
        println!("refused: {}: {} [{}]; {}", it.file.display(), it.reason, it.code, it.remedy);
    }
    if let Some(last) = status.last_replacements.last() {
        println!("{} replacements; the last: {}", status.replacements, sentence(last));
    }
}

fn sentence(record: &Replacement) -> String {
    let Replacement { at, plugin, from, to, held_us, .. } = record;
    let held = *held_us as f64 / 1e3;
    match &record.alert {
        None => format!(
            "{at} {plugin} {} ({}) by {} ({}), inputs held {held:.1} ms",
            from.version,
            short_hash(&from.hash),
            to.version,
            short_hash(&to.hash)
        ),
        Some(alert) => format!("{at} {alert}"),
    }
}
