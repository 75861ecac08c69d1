//! `hotbay run` and `hotbay validate`.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, OnceLock},
};

use hotbay_config::{Config, Diagnostics};
use hotbay_daemon::{Host, HostError, HostHandle};
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
    // Before everything else: whoever tells it to stop while it loads means it.
    let running = Arc::new(OnceLock::new());
    let stop = match stop_signal(Arc::clone(&running)) {
        Ok(stop) => stop,
        Err(error) => return fail(&format!("cannot listen for signals: {error}")),
    };
    let prepared = match read_at_home(path, Purpose::Run { trust }) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    // Dropped last: whatever ends this process before is noted.
    let _ledger = open_ledger(&prepared.config);
    let host = match prepare(prepared).await {
        Ok(host) => host,
        Err(code) => return code,
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
        Ok(report) => {
            match output {
                Output::Table => println!("{}", report::render(&report, width())),
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
    let host = match read_at_home(path, Purpose::Check) {
        Ok(prepared) => prepare(prepared).await,
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

/// What a configuration is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// What is missing may come while the host runs.
    Run {
        /// The trust mode in force, whatever the configuration says.
        trust: Option<TrustMode>,
    },
    /// What is missing is a mistake.
    Check,
}

/// What `hotbay run` and `hotbay validate` begin with.
struct Prepared {
    config: Config,
    /// The file that it came from, to be read again.
    file: PathBuf,
    purpose: Purpose,
}

/// Reads the configuration and enters its folder.
fn read_at_home(path: &Path, purpose: Purpose) -> Result<Prepared, ExitCode> {
    // The working folder changes below: reading the file again has to find it still.
    let home = std::path::absolute(path).map(|path| path.parent().map(Path::to_owned));
    let home = match home {
        Ok(Some(home)) => home,
        Ok(None) | Err(_) => return Err(fail(&format!("{}: not a file", path.display()))),
    };
    let mut config = read(path, purpose).map_err(|found| refuse(&found))?;
    if let Some(warning) = overridden(&config) {
        // Not through the log, which may be off.
        eprintln!("hotbay: WARN: {warning}");
    }
    // Relative paths in it, those for plugins included, start at its folder.
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

/// Loads and checks; what is found is printed, one line each.
async fn prepare(Prepared { config, file, purpose }: Prepared) -> Result<Host, ExitCode> {
    let host = Host::prepare(config).await.map_err(|error| refuse(&error))?;
    if !host.warnings().is_empty() {
        eprintln!("{}", host.warnings());
    }
    Ok(host.with_source(file.clone(), move || read(&file, purpose)))
}

fn refuse(found: &dyn std::fmt::Display) -> ExitCode {
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

/// What to say of a host that trusts more than its configuration says.
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

/// Comes at the first Ctrl-C or SIGTERM; at the second one the process ends at once.
/// SIGHUP has the configuration read again.
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
