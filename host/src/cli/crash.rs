//! Reporting the crash of the last run, and recording that of this one.

use std::{io::ErrorKind, time::SystemTime};

use hotbay_config::Config;
use hotbay_loader::CrashLedger;
use hotbay_store::{rfc3339, short_hash};

use super::output::err;

/// Records crashes from now on.
///
/// Prints which plugin crashed the last run, and puts a build that did so too often into quarantine.
pub(super) fn open_ledger(config: &Config) -> Option<CrashLedger> {
    // A host that only replays a recording keeps no state, and is not restarted.
    if !config.follows_changes() {
        CrashLedger::say_only();
        return None;
    }
    let mut ledger = match CrashLedger::open(&config.state_folder) {
        Ok(ledger) => ledger,
        // Another host uses the folder, which is reported when the host locks it.
        Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
        Err(error) => {
            let folder = config.state_folder.display();
            tracing::warn!(%error, %folder, "crashes will not be recorded");
            CrashLedger::say_only();
            return None;
        }
    };
    if let Some(crash) = ledger.attributed() {
        err(format_args!(
            "hotbay: plugin {} brought the last run of this host down, {crash} (sha256 {}, {})",
            crash.plugin,
            short_hash(&crash.hash),
            rfc3339::seconds(crash.when),
        ));
    }
    match ledger.quarantine_suspects(SystemTime::now()) {
        Ok(suspects) => suspects.iter().for_each(|crash| {
            err(format_args!(
                "hotbay: plugin {} did so too often; this build is in quarantine now, until \
                 `hotbay plugin release {}`",
                crash.plugin, crash.plugin
            ));
        }),
        Err(error) => {
            tracing::warn!(%error, "a plugin that crashed repeatedly could not be put into quarantine; it is loaded again");
        }
    }
    Some(ledger)
}
