//! `hotbay run` and `hotbay validate`.

use std::{io::IsTerminal, path::Path, process::ExitCode};

use hotbay::{
    app::{Host, HostError, ProgressDisplay},
    config::{Config, Diagnostics},
};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use super::{FAILED_RUN, Output, WRONG_CONFIGURATION, fail};

pub(super) async fn run(path: &Path, output: Output) -> ExitCode {
    let host = match prepare(path).await {
        Ok(host) => host,
        Err(code) => return code,
    };
    if !host.has_work() {
        host.close().await;
        return fail(&format!(
            "{}: there is nothing to run; add a `pipeline`, or put a plugin with tasks into the \
             plugins folder",
            path.display()
        ));
    }
    let stop = match stop_signal() {
        Ok(stop) => stop,
        Err(error) => return fail(&format!("cannot listen for signals: {error}")),
    };
    let mut display = None;
    let ran = host.run(stop, |board| display = ProgressDisplay::start(board)).await;
    drop(display);
    match ran {
        Ok(report) => {
            match output {
                Output::Table => println!("{}", report.to_tables(width())),
                Output::Json => match serde_json::to_string_pretty(&report) {
                    Ok(json) => println!("{json}"),
                    Err(error) => return fail(&format!("the report can't be written: {error}")),
                },
            }
            for failed in report.components.iter().filter(|it| it.error.is_some()) {
                eprintln!("hotbay: {}: {}", failed.id, failed.error.as_deref().unwrap_or_default());
            }
            ExitCode::from(if report.is_success() { 0 } else { FAILED_RUN })
        }
        Err(error @ HostError::Configuration(_)) => {
            eprintln!("{error}");
            ExitCode::from(WRONG_CONFIGURATION)
        }
        Err(error) => {
            eprintln!("hotbay: {}: {error}", path.display());
            ExitCode::from(FAILED_RUN)
        }
    }
}

pub(super) async fn validate(path: &Path) -> ExitCode {
    let host = match prepare(path).await {
        Ok(host) => host,
        Err(code) => return code,
    };
    let components = host.component_count();
    let tasks = host.task_count();
    println!("{}: sound; {components} components, {tasks} tasks", path.display());
    host.close().await;
    ExitCode::SUCCESS
}

/// Loads and checks; what is found is printed, one line each.
async fn prepare(path: &Path) -> Result<Host, ExitCode> {
    let refuse = |found: &dyn std::fmt::Display| {
        eprintln!("{found}");
        ExitCode::from(WRONG_CONFIGURATION)
    };
    let config = Config::load(path, &|name| std::env::var(name));
    let config = config.map_err(|found: Diagnostics| refuse(&found))?;
    let config = at_home(config).map_err(|error| {
        fail(&format!("{}: its folder can't be entered: {error}", path.display()))
    })?;
    let host = Host::prepare(config).await.map_err(|error| refuse(&error))?;
    if !host.warnings().is_empty() {
        eprintln!("{}", host.warnings());
    }
    Ok(host)
}

/// Enters the configuration's folder: relative paths in it, those for plugins included,
/// start there, wherever the host was started.
fn at_home(mut config: Config) -> std::io::Result<Config> {
    config.plugins.folder = std::path::absolute(&config.plugins.folder)?;
    std::env::set_current_dir(&config.base_dir)?;
    Ok(config)
}

/// Comes at the first Ctrl-C or SIGTERM; at the second one the process ends at once.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut stop = Some(stop);
        for _ in signals.forever() {
            match stop.take() {
                // Nobody listens any more if the run ended by itself just now.
                Some(stop) => drop(stop.send(())),
                None => {
                    eprintln!("hotbay: stopped at once, as asked twice");
                    std::process::exit(130);
                }
            }
        }
    })?;
    Ok(async move {
        if stopped.await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

/// How wide tables may be; in a pipe, as wide as they like.
pub(super) fn width() -> Option<u16> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).or(Some(120))
}
