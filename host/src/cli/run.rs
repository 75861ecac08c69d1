//! `hotbay run` and `hotbay validate`.

use std::{
    io,
    path::{Component, Path, PathBuf},
    process::ExitCode,
    sync::{Arc, OnceLock},
};

use hotbay_config::{Config, Diagnostics, masked};
use hotbay_daemon::{Host, HostError, LastEnd, Report};
use hotbay_loader::{CrashLedger, TrustMode};

use super::{
    FAILED_RUN, LAST_WORDS, Output, WRONG_CONFIGURATION,
    crash::open_ledger,
    fail,
    output::{Page, WhenFull, err, lost_lines, out_aside, when_full},
    print,
    progress::ProgressDisplay,
    report,
    signals::{self, Stop, requested},
    table::{NO_BREAK, Table},
    wording::count,
    written,
};

pub(super) async fn run(path: &Path, trust: Option<TrustMode>, output: Output) -> ExitCode {
    // From here on, nothing waits for whoever reads standard error.
    when_full(WhenFull::Lose);
    // Before everything else, so that a stop is noticed while plugins are loaded.
    let running = Arc::new(OnceLock::new());
    let stop = match signals::listen(Arc::clone(&running)) {
        Ok(stop) => stop,
        Err(error) => return fail(&format!("can't listen for signals: {error}")),
    };
    let prepared = match read_at_home(path, Purpose::Run { trust }) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    // Dropped last, so that everything that ends this process before is recorded as a crash.
    let ledger = open_ledger(&prepared.config);
    let last_end = ledger.as_ref().map(last_end).unwrap_or_default();
    // Loading runs code of plugins. A plugin that hangs must not keep the host from stopping.
    let host = tokio::select! {
        biased;
        () = requested(stop.clone()) => {
            err(format_args!("hotbay: {}: stopped before everything was loaded", path.display()));
            return ExitCode::SUCCESS;
        }
        host = prepare(path, prepared) => match host {
            Ok(host) => host,
            Err(code) => return code,
        },
    };
    if !host.has_work() && host.follows_changes() {
        err(format_args!("hotbay: {}: nothing to run yet; waiting for plugins", path.display()));
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
    let host = host.with_lost_log_lines(lost_lines).after(last_end);
    let asked = requested(stop.clone());
    let ran = host.run(asked, |board| display = ProgressDisplay::start(board)).await;
    drop(display);
    match ran {
        Ok(report) => print_report(&report, output, stop).await,
        Err(error) => {
            let error = error.to_string();
            err(format_args!("hotbay: {}: {}", path.display(), masked(&error)));
            ExitCode::from(FAILED_RUN)
        }
    }
}

fn last_end(ledger: &CrashLedger) -> LastEnd {
    match ledger.attributed() {
        Some(crash) => LastEnd::CrashOf(crash.plugin.clone()),
        None if ledger.was_told_to_end() => LastEnd::Told,
        None => LastEnd::Unknown,
    }
}

/// Prints the report of a run, and returns the exit code that it calls for.
async fn print_report(report: &Report, output: Output, stop: Stop) -> ExitCode {
    let mut page = Page::default();
    match output {
        Output::Table => report::render(&mut page, report),
        Output::Json => page.json(report),
    }
    if output == Output::Json {
        // The tables have the errors as well.
        for failed in report.components.iter().filter(|it| it.error.is_some()) {
            let error = failed.error.as_deref().unwrap_or_default();
            err(format_args!("hotbay: {}: {error}", failed.id));
        }
    }
    let code = ExitCode::from(if report.is_success() { 0 } else { FAILED_RUN });
    // A reader gets the time that it needs, unless the host was told to stop.
    let too_late = async {
        requested(stop).await;
        tokio::time::sleep(LAST_WORDS).await;
    };
    let result = tokio::select! {
        biased;
        result = out_aside(page.into_text()) => {
            result.unwrap_or_else(|_| Err(io::Error::other("no thread can be started")))
        }
        () = too_late => Err(io::Error::new(io::ErrorKind::TimedOut, "nobody reads it")),
    };
    written(result, code)
}

pub(super) async fn validate(path: &Path) -> ExitCode {
    let host = match prepare_to_check(path).await {
        Ok(host) => host,
        Err(code) => return code,
    };
    let components = count(host.component_count() as u64, "component");
    let tasks = count(host.task_count() as u64, "task");
    let schedules = host.schedules();
    host.close().await;
    let mut page = Page::default();
    page.line(format_args!("{}: sound; {components}, {tasks}", path.display()));
    if !schedules.is_empty() {
        let mut table = Table::new(["task", "schedule", "next"]);
        for (task, words) in schedules {
            // A time is never wrapped between date and time.
            let next: Vec<_> = words.next.iter().map(|at| at.replace(' ', NO_BREAK)).collect();
            table.row([task, words.schedule, next.join(", ")]);
        }
        page.table(&table);
    }
    print(page, ExitCode::SUCCESS)
}

/// Prepares a host that runs nothing, to look at what the configuration asks for.
///
/// # Errors
/// The exit code, after the reasons were printed.
pub(super) async fn prepare_to_check(path: &Path) -> Result<Host, ExitCode> {
    prepare(path, read_at_home(path, Purpose::Check)?).await
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
    let mut config = read(path, purpose).map_err(|found| refuse_all(&found))?;
    if let Some(warning) = overridden(&config) {
        // Printed, because the log may be switched off.
        err(format_args!("hotbay: WARN: {warning}"));
    }
    // Relative paths in the configuration, those for plugins included, start at its folder.
    let paths = [&mut config.plugins.folder, &mut config.state_folder].into_iter();
    let absolute = paths.chain(config.plugins.trust.paths_mut()).try_for_each(|path| {
        *path = without_parents(std::path::absolute(&path)?);
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
            return refuse_all(found);
        }
        fail(&format!("{}: {error}", path.display()))
    })?;
    host.warnings().to_string().lines().for_each(err);
    Ok(host.with_source(file.clone(), move || read(&file, purpose)))
}

/// Prints why something is refused, and returns the exit code of a refusal.
pub(super) fn refuse(reason: &dyn std::fmt::Display) -> ExitCode {
    err(reason);
    ExitCode::from(WRONG_CONFIGURATION)
}

/// Prints all mistakes of a configuration, one line each, and returns the exit code of a refusal.
pub(super) fn refuse_all(found: &Diagnostics) -> ExitCode {
    found.to_string().lines().for_each(err);
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

/// Returns a path without `..`, as far as the folders exist. Links behind it stay links.
fn without_parents(path: PathBuf) -> PathBuf {
    let parts: Vec<_> = path.components().collect();
    let Some(last) = parts.iter().rposition(|part| *part == Component::ParentDir) else {
        return path;
    };
    let (before, behind) = parts.split_at(last + 1);
    match before.iter().collect::<PathBuf>().canonicalize() {
        Ok(folder) => folder.join(behind.iter().collect::<PathBuf>()),
        Err(_) => path,
    }
}
