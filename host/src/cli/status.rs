//! `hotbay status` and `hotbay plugin list --config`: the status of a running host.

use std::{collections::BTreeMap, io, path::Path, process::ExitCode, time::Duration};

use hotbay_config::StateFolder;
use hotbay_daemon::{BuildState, Status, TrustStatus, read_status};
use hotbay_loader::{TrustMode, TrustedBy};
use hotbay_store::{record::Replacement, short_hash};

use super::{
    NOT_RUNNING, Output, fail,
    output::{Page, err},
    print, report,
    run::refuse_all,
    state_folder,
    table::Table,
    wording::{count, duration},
};

/// Prints the status of the host that runs with this configuration.
pub(super) fn status(config: &Path, output: Output) -> ExitCode {
    show(config, output, |page, status| {
        page.line(format_args!(
            "process {}, changes are followed by {}",
            status.pid,
            match status.watching.as_str() {
                "inotify" => "events of the system",
                "polling" => "looking again and again",
                _ => "nothing",
            }
        ));
        page.line(trust(status.trust));
        if status.lost_log_lines > 0 {
            let lines = count(status.lost_log_lines, "line");
            page.line(format_args!("WARN: {lines} of the log could not be written"));
        }
        if let Some(refused) = &status.configuration_refused {
            page.blank();
            page.line("the configuration on disk is refused, the previous one stays in force:");
            refused.lines().for_each(|line| page.line(line));
        }
        components(page, status);
        tasks(page, status);
        numbers(page, "counters", &status.counters);
        numbers(page, "gauges", &status.gauges);
        page.blank();
        plugins(page, status);
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

fn show(config: &Path, output: Output, describe: impl FnOnce(&mut Page, &Status)) -> ExitCode {
    let status = match asked(config, read_status) {
        Ok(status) => status,
        Err(code) => return code,
    };
    let mut page = Page::default();
    match output {
        Output::Table => describe(&mut page, &status),
        Output::Json => page.json(&status),
    }
    print(page, ExitCode::SUCCESS)
}

/// Asks the host that runs with a configuration.
///
/// # Errors
/// The exit code, after the reason was printed, if there is no answer.
pub(super) fn asked<A>(
    config: &Path,
    ask: impl FnOnce(&Path) -> io::Result<Option<A>>,
) -> Result<A, ExitCode> {
    answered(config, ask)?.ok_or_else(|| {
        err(format_args!(
            "hotbay: no host runs with {}, or it does not follow changes; start one with \
             `hotbay run`",
            config.display()
        ));
        ExitCode::from(NOT_RUNNING)
    })
}

/// Asks the host that runs with a configuration, if there is one.
///
/// # Errors
/// The exit code, after the reason was printed.
pub(super) fn answered<A>(
    config: &Path,
    ask: impl FnOnce(&Path) -> io::Result<Option<A>>,
) -> Result<Option<A>, ExitCode> {
    let StateFolder { path: folder, refused } = state_folder::find(config)?;
    let answer = ask(&folder);
    if let (Ok(None), Some(refused), false) = (&answer, &refused, config.exists()) {
        refuse_all(refused);
        return Err(ExitCode::from(NOT_RUNNING));
    }
    if answer.is_ok() {
        // The host may not have noticed, or may have variables that are not set here.
        refused.iter().for_each(state_folder::warn);
    }
    answer.map_err(|error| fail(&format!("{}: {error}", folder.display())))
}

fn components(page: &mut Page, status: &Status) {
    if status.components.is_empty() {
        return;
    }
    let mut table = Table::new(["component", "role", "plugin", "status", "turns", "events"]);
    for it in &status.components {
        let state = match (&it.waits_for, &it.error) {
            (Some(what), _) => format!("waits for {what}"),
            (None, Some(error)) => format!("{}: {error}", it.status),
            (None, None) => it.status.clone(),
        };
        let (turns, events) = (it.turns.to_string(), it.events.to_string());
        table.row([&it.id, &it.role, &it.plugin, &state, &turns, &events]);
    }
    page.blank();
    page.table(&table);
}

fn tasks(page: &mut Page, status: &Status) {
    if status.tasks.is_empty() {
        return;
    }
    let mut table = Table::new(["task", "schedule", "runs", "failed", "now"]);
    for it in &status.tasks {
        let now = match (&it.waits_for, &it.last_error) {
            (Some(what), _) => format!("waits for {what}"),
            (None, Some(error)) => format!("failed last with: {error}"),
            (None, None) => String::new(),
        };
        let (runs, failed) = (it.runs.to_string(), it.failed.to_string());
        table.row([&it.id, &it.schedule, &runs, &failed, &now]);
    }
    page.blank();
    page.table(&table);
}

fn numbers<N: serde::Serialize>(page: &mut Page, title: &str, numbers: &BTreeMap<String, N>) {
    if let Some(table) = Table::of_objects(&report::numbers(numbers)) {
        page.blank();
        page.line(title);
        page.table(&table);
    }
}

fn plugins(page: &mut Page, status: &Status) {
    let mut table = Table::new([
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
        table.row([
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
        page.line("no plugin is loaded");
    } else {
        page.table(&table);
    }
    for it in &status.refused {
        let (file, reason, code, remedy) = (it.file.display(), &it.reason, &it.code, &it.remedy);
        page.line(format_args!("refused: {file}: {reason} [{code}]; {remedy}"));
    }
    if let Some(last) = status.last_replacements.last() {
        let replacements = count(status.replacements, "replacement");
        page.line(format_args!("{replacements}; the last: {}", sentence(last)));
    }
}

fn sentence(record: &Replacement) -> String {
    let Replacement { at, plugin, from, to, held_us, .. } = record;
    if let Some(alert) = &record.alert {
        return format!("{at} {alert}");
    }
    let (held, old, new) =
        (duration(Duration::from_micros(*held_us)), from.unlike(to), to.unlike(from));
    format!("{at} {plugin} {old} by {new}, inputs held {held}")
}
