//! The command `hotbay plugin trust`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use hotbay_config::TrustSettings;
use hotbay_daemon::{pins_finding, read_keys};
use hotbay_loader::{Pin, PinChange, Pins, Trust, TrustMode};

use super::{
    fail,
    inspect::loader,
    output::Page,
    print,
    run::{refuse, refuse_all},
};

/// The configuration that is used if none is named and this one exists.
const USUAL_CONFIGURATION: &str = "hotbay.yaml";

pub(super) async fn trust(file: &Path, config: Option<PathBuf>) -> ExitCode {
    let usual = Path::new(USUAL_CONFIGURATION);
    let config = config.or_else(|| usual.is_file().then(|| usual.to_owned()));
    match pin(file, config.as_deref()).await {
        Ok(page) => print(page, ExitCode::SUCCESS),
        Err(code) => code,
    }
}

/// Pins a file, and returns what was done.
async fn pin(file: &Path, config: Option<&Path>) -> Result<Page, ExitCode> {
    let written = match config {
        Some(config) => TrustSettings::load(config, &|name| std::env::var(name)),
        // All configurations in this folder use this file of pins by default.
        None => Ok(TrustSettings::usual(Path::new(USUAL_CONFIGURATION))),
    };
    let written = written.map_err(|found| refuse_all(&found))?;
    let keys = read_keys(&written).map_err(|found| refuse_all(&found))?;
    // The keys are used, so that a file with a wrong signature is refused here as in the host.
    let everybody = Arc::new(Trust { keys, ..Trust::default() });
    let checked = loader()?.check(file, &everybody).await.map_err(|refused| refuse(&refused))?;
    let name = file.file_name().and_then(|name| name.to_str());
    let name =
        name.ok_or_else(|| fail(&format!("{}: its name is not valid Unicode", file.display())))?;
    let pin = Pin::new(Some(name.to_owned()), checked.hash());
    let pin = pin.ok_or_else(|| fail("its hash can't be written"))?;
    let change = Pins::add(&written.pins_file, &pin)
        .map_err(|error| refuse(&pins_finding(&written.pins_file, &error)))?;
    let build = format!("{} {}", checked.descriptor.name, checked.descriptor.version);
    let (hash, pins) = (checked.hash(), written.pins_file.display());
    let mut page = Page::default();
    page.line(match change {
        PinChange::Unchanged => {
            format!("{pins}: {name} ({build}) was pinned already, SHA-256 {hash}")
        }
        PinChange::Added | PinChange::Replaced { .. } => {
            format!("{pins}: pinned {name} ({build}), SHA-256 {hash}")
        }
    });
    if let PinChange::Replaced { previous } = change {
        page.line(format_args!("  instead of the build {previous}, which is trusted no more"));
    }
    if written.mode == TrustMode::Off {
        let config =
            config.map_or_else(|| "the configuration".to_owned(), |it| it.display().to_string());
        page.line(format_args!(
            "  note: pins count once {config} says `trust: enforce` or `trust: warn` under `plugins`"
        ));
    }
    Ok(page)
}
