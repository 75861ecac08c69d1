//! Reading the trusted keys and pins that the configuration names.

use std::{path::Path, sync::Arc};

use hotbay_access::{AccessError, read_text};
use hotbay_config::{Config, ConfigPath, Diagnostic, Diagnostics, KeyEntry, Position, Severity};
use hotbay_loader::{Key, Pins, PinsError, Trust, TrustMode};

const KEY_HELP: &str = "write a minisign public key (`RW…`), or the path of a file with one";

/// The size limit of the files that are read, which no key and no configuration exceeds.
const SIZE_LIMIT: u64 = 16 << 20;

/// Reads the files with keys and pins that the configuration names.
///
/// # Errors
/// If one of the files is wrong.
pub(super) fn read(config: &Config) -> Result<Arc<Trust>, Diagnostics> {
    let written = &config.plugins.trust;
    let mut found = Diagnostics::new();
    let keys = keys(written, &mut found, &|path, message| config.error_at(&path, message));
    let mut pins: Pins = written.pins.iter().cloned().collect();
    // Where trust is off, pins are not used, so a broken file of pins does not matter.
    if written.mode != TrustMode::Off {
        match Pins::load(&written.pins_file) {
            Ok(Some(more)) => pins.extend(more),
            Ok(None) if !written.pins_file_is_named => {}
            Ok(None) => {
                let message = format!("there is no file {}", written.pins_file.display());
                let finding = config.error_at(&path().key("pins_file"), message);
                found
                    .push(finding.with_help("`hotbay plugin trust FILE --config CONFIG` makes it"));
            }
            Err(error) => found.push(pins_finding(&written.pins_file, &error)),
        }
    }
    if found.has_errors() {
        return Err(found);
    }
    Ok(Arc::new(Trust { mode: written.mode, pins, keys }))
}

/// Reads the keys of a configuration whose other parts are not loaded.
///
/// # Errors
/// If a key is wrong. All problems are listed.
pub fn read_keys(written: &hotbay_config::TrustSettings) -> Result<Vec<Key>, Diagnostics> {
    let mut found = Diagnostics::new();
    let finding = |_, message| Diagnostic::new(&written.said_in, Severity::Error, message);
    let keys = keys(written, &mut found, &finding);
    if found.has_errors() { Err(found) } else { Ok(keys) }
}

/// Converts the error of a file of pins into a finding.
pub fn pins_finding(file: &Path, error: &PinsError) -> Diagnostic {
    let finding = Diagnostic::new(file, Severity::Error, error.problem.clone());
    let finding = match error.line {
        Some(line) => finding.at(Position { line, column: 1 }),
        None => finding,
    };
    finding.with_help(error.remedy)
}

fn path() -> ConfigPath {
    ConfigPath::root().key("plugins").key("trust")
}

fn keys(
    written: &hotbay_config::TrustSettings,
    found: &mut Diagnostics,
    finding: &dyn Fn(ConfigPath, String) -> Diagnostic,
) -> Vec<Key> {
    let mut keys = Vec::new();
    for (index, entry) in written.keys.iter().enumerate() {
        match entry {
            KeyEntry::Here(text) => match Key::parse(text) {
                Ok(key) => keys.push(key),
                Err(error) => {
                    let at = path().key("keys").index(index);
                    found.push(finding(at, format!("the key {text} {error}")).with_help(KEY_HELP));
                }
            },
            KeyEntry::File(file) => match read_key(file) {
                Ok(key) => keys.push(key),
                Err((problem, help)) => {
                    let message = format!("the key {}: {problem}", file.display());
                    let at = path().key("keys").index(index);
                    found.push(finding(at, message).with_help(help));
                }
            },
        }
    }
    keys
}

fn read_key(file: &Path) -> Result<Key, (String, &'static str)> {
    let text = read_text(file, SIZE_LIMIT).map_err(|refusal| {
        let is_missing = matches!(refusal, AccessError::Missing);
        let help = if is_missing { KEY_HELP } else { refusal.remedy() };
        (refusal.to_string(), help)
    })?;
    let help = "take the file that `minisign -G` wrote, `minisign.pub`";
    Key::parse(&text).map_err(|error| (error.to_string(), help))
}
