//! `hotbay run` and `hotbay validate`.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, OnceLock},
};

use hotbay_config::{Config, Diagnostics};
use hotbay_daemon::{Host, HostError, HostHandle, Report};
use hotbay_loader::TrustMode;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use super::{
    FAILED_RUN, Output, WRONG_CONFIGURATION, crash::open_ledger, fail, progress::ProgressDisplay,
    report,
};

pub(super) async fn run(path: &Path, trust: Option<TrustMode>, output: Output) -> ExitCode {
    // Before everything else, so that a stop is noticed while plugins are loaded.
    let running = Arc::new(OnceLock::new());
    let stop = match stop_signal(Arc::clone(&running)) {
        Ok(stop) => stop,
        Err(error) => return fail(&format!("can't listen for signals: {error}")),
    };
    let prepared = match read_at_home(path, Purpose::Run { trust }) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    // Dropped last, so that everything that ends this process before is recorded as a crash.
    let _ledger = open_ledger(&prepared.config);
    let mut stop = std::pin::pin!(stop);
    // Loading runs code of plugins. A plugin that hangs must not keep the host from stopping.
    let host = tokio::select! {
        biased;
        () = stop.as_mut() => {
            eprintln!("hotbay: {}: stopped before everything was loaded", path.display());
            return ExitCode::SUCCESS;
        }
        host = prepare(path, prepared) => match host {
            Ok(host) => host,
            Err(code) => return code,
        },
    };
    if !host.has_work() && host.follows_changes() {
        eprintln!("hotbay: {}: nothing to run yet; waiting for plugins", path.display());
    } else if !host.has_work() {
        host.close().await;
        return fail(&format!(
            "{}: there is nothing to run; add a `pipeline`, or put a plugin with tasks into the \
             plugins folder",
            path.display()
        ));
    }
    running.get_or_init(|| host.handle());
    let mut display = None;
    let ran = host.run(stop, |board| display = ProgressDisplay::start(board)).await;
    drop(display);
    match ran {
        Ok(report) => print_report(&report, output),
        Err(error) => {
            eprintln!("hotbay: {}: {error}", path.display());
            ExitCode::from(FAILED_RUN)
        }
    }
}

/// Prints the report of a run, and returns the exit code that it calls for.
fn print_report(report: &Report, output: Output) -> ExitCode {
    match output {
        Output::Table => println!("{}", report::render(report)),
        Output::Json => match serde_json::to_string_pretty(report) {
            Ok(json) => println!("{json}"),
            Err(error) => return fail(&format!("the report can't be written: {error}")),
        },
    }
    for failed in report.components.iter().filter(|it| it.error.is_some()) {
        eprintln!("hotbay: {}: {}", failed.id, failed.error.as_deref().unwrap_or_default());
    }
    ExitCode::from(if report.is_success() { 0 } else { FAILED_RUN })
}

pub(super) async fn validate(path: &Path) -> ExitCode {
    let host = match read_at_home(path, Purpose::Check) {
        Ok(prepared) => prepare(path, prepared).await,
        Err(code) => Err(code),
    };
    let host = match host {
        Ok(host) => host,
        Err(code) => return code,
    };
    let components = host.component_count();
    let tasks = host.task_count();
    println!("{}: sound; {components} components, {tasks} tasks", path.display());
    host.close().await;
    ExitCode::SUCCESS
}

/// The purpose for which a configuration is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// The configuration is read to run it. Missing plugins may come while the host runs.
    Run {
        /// The trust mode that overrides the one in the configuration.
        trust: Option<TrustMode>,
    },
    /// The configuration is read to check it. A missing plugin is an error.
    Check,
}

/// The configuration with which `hotbay run` and `hotbay validate` begin.
struct Prepared {
    config: Config,
    /// The file of the configuration, to be read again.
    file: PathBuf,
    purpose: Purpose,
}

/// Reads the configuration and changes to its folder.
fn read_at_home(path: &Path, purpose: Purpose) -> Result<Prepared, ExitCode> {
    // Made absolute, because the current folder changes below and the file is read again later.
    let home = std::path::absolute(path).map(|path| path.parent().map(Path::to_owned));
    let home = match home {
        Ok(Some(home)) => home,
        Ok(None) | Err(_) => return Err(fail(&format!("{}: not a file", path.display()))),
    };
    let mut config = read(path, purpose).map_err(|found| refuse(&found))?;
    if let Some(warning) = overridden(&config) {
        // Printed, because the log may be switched off.
        eprintln!("hotbay: WARN: {warning}");
    }
    // Relative paths in the configuration, those for plugins included, start at its folder.
    let paths = [&mut config.plugins.folder, &mut config.state_folder].into_iter();
    let absolute = paths.chain(config.plugins.trust.paths_mut()).try_for_each(|path| {
        *path = std::path::absolute(&path)?;
        Ok(())
    });
    let entered = absolute.and_then(|()| std::env::set_current_dir(&home));
    entered.map_err(|error| {
        fail(&format!("{}: its folder can't be entered: {error}", path.display()))
    })?;
    if purpose == Purpose::Check {
        config.reload.watch = Some(false);
    }
    let file = home.join(path.file_name().unwrap_or_default());
    Ok(Prepared { config, file, purpose })
}

/// Loads the plugins and checks the configuration. Prints the findings, one line each.
async fn prepare(
    path: &Path,
    Prepared { config, file, purpose }: Prepared,
) -> Result<Host, ExitCode> {
    let host = Host::prepare(config).await.map_err(|error| {
        if let HostError::Configuration(found) = &error {
            // Each finding names its file.
            return refuse(found);
        }
        fail(&format!("{}: {error}", path.display()))
    })?;
    if !host.warnings().is_empty() {
        eprintln!("{}", host.warnings());
    }
    Ok(host.with_source(file.clone(), move || read(&file, purpose)))
}

/// Prints why something is refused, and returns the exit code of a refusal.
pub(super) fn refuse(found: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("{found}");
    ExitCode::from(WRONG_CONFIGURATION)
}

fn read(path: &Path, purpose: Purpose) -> Result<Config, Diagnostics> {
    let mut config = Config::load(path, &|name| std::env::var(name))?;
    if let Purpose::Run { trust: Some(mode) } = purpose {
        config.plugins.trust.override_mode(mode);
    }
    Ok(config)
}

/// Returns a warning if an option makes the host trust more than its configuration says.
fn overridden(config: &Config) -> Option<String> {
    let trust = &config.plugins.trust;
    let said = trust.overridden.filter(|said| *said > trust.mode)?;
    Some(format!(
        "--trust {}: plugins are loaded that {} would not have loaded with its `trust: {said}`; \
         leave the option out wherever it matters",
        trust.mode,
        config.file().display()
    ))
}

/// Returns a future that completes at the first Ctrl-C or SIGTERM.
///
/// At the second one the process ends at once. SIGHUP makes the host read its configuration again.
fn stop_signal(running: Arc<OnceLock<HostHandle>>) -> std::io::Result<impl Future<Output = ()>> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut stop = Some(stop);
        for signal in signals.forever() {
            if signal == SIGHUP {
                if let Some(host) = running.get() {
                    host.reload();
                }
                continue;
            }
            match stop.take() {
                // The run may have ended by itself just now.
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

/// Returns the maximum width of tables on a terminal. Tables in a pipe have no limit.
pub(super) fn width() -> Option<u16> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).or(Some(120))
}
