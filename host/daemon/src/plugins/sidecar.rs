//! The settings files beside a library.

use std::path::{Path, PathBuf};

use hotbay_config::{Config, Diagnostic, Diagnostics, Severity, SharedTasks, Sidecar};

use crate::reconcile::{settings_files, shared_settings_files};

/// Reads the settings files beside a library. Without such files there are no settings.
///
/// # Errors
/// If a file is wrong, or if there are two of a kind.
pub(crate) fn read_sidecar(
    config: &Config,
    library: &Path,
    plugin: &str,
) -> Result<Sidecar, Diagnostics> {
    let environment = |name: &str| std::env::var(name);
    let own = settings_files(library, plugin);
    let mut sidecar = match only(&own, &format!("plugin `{plugin}` has settings"))? {
        Some(file) => Sidecar::load(&file, &environment)?,
        None => Sidecar::default(),
    };
    let is_other = |path: &PathBuf| !own.contains(path) && !is_same(path, config.file());
    let shared: Vec<_> = shared_settings_files(library).into_iter().filter(is_other).collect();
    if let Some(file) = only(&shared, "the folder has settings")? {
        sidecar.shared = SharedTasks::load(&file, &environment)?;
    }
    Ok(sidecar)
}

/// Returns the only one of these files that is there.
fn only(names: &[PathBuf], what: &str) -> Result<Option<PathBuf>, Diagnostics> {
    let mut there: Vec<_> = names.iter().filter(|path| path.is_file()).collect();
    there.dedup();
    match there.as_slice() {
        [] => Ok(None),
        [file] => Ok(Some((*file).clone())),
        [first, second, ..] => {
            let message = format!("{what} in {}, too", first.display());
            let finding = Diagnostic::new(second, Severity::Error, message);
            let mut found = Diagnostics::new();
            found.push(finding.with_help("join the two files"));
            Err(found)
        }
    }
}

/// Returns `true` if both are names of one file, as of a configuration among the plugins.
fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}
