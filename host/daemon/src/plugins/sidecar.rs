//! The settings file beside a library.

use std::path::{Path, PathBuf};

use hotbay_config::{Diagnostic, Diagnostics, Severity, Sidecar};

/// The names that a plugin's settings file may have: that of its library, or that of the
/// plugin.
pub(crate) fn beside(library: &Path, plugin: &str) -> [PathBuf; 2] {
    [library.with_extension("yaml"), library.with_file_name(format!("{plugin}.yaml"))]
}

/// What stands beside a library; nothing special if there is no file.
///
/// # Errors
/// What is wrong with the file, or that there are two.
pub(crate) fn read_sidecar(library: &Path, plugin: &str) -> Result<Sidecar, Diagnostics> {
    let names = beside(library, plugin);
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
