//! The settings file beside a library.

use std::path::Path;

use hotbay_config::{Diagnostic, Diagnostics, Severity, Sidecar};

use crate::reconcile::settings_files;

/// Reads the settings file beside a library. Without such a file there are no settings.
///
/// # Errors
/// If the file is wrong, or if there are two.
pub(crate) fn read_sidecar(library: &Path, plugin: &str) -> Result<Sidecar, Diagnostics> {
    let names = settings_files(library, plugin);
    let mut there: Vec<_> = names.iter().filter(|path| path.is_file()).collect();
    there.dedup();
    match there.as_slice() {
        [] => Ok(Sidecar::default()),
        [file] => Sidecar::load(file, &|name| std::env::var(name)),
        [first, second, ..] => {
            let message = format!("plugin `{plugin}` has settings in {}, too", first.display());
            let finding = Diagnostic::new(second, Severity::Error, message);
            let mut found = Diagnostics::new();
            found.push(finding.with_help("join the two files"));
            Err(found)
        }
    }
}
