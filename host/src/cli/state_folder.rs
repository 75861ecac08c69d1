//! Finding the state folder of a host that may run with another configuration than the one on disk.

use std::{path::Path, process::ExitCode};

use hotbay_config::{Diagnostics, StateFolder};

use super::{fail, output::err, run::refuse_all};

/// Returns the state folder of a configuration, with what is wrong with the rest of the file, which
/// its host may have refused.
pub(super) fn find(config: &Path) -> Result<StateFolder, ExitCode> {
    StateFolder::find(config, &|name| std::env::var(name)).map_err(|found| {
        let code = refuse_all(&found);
        fail("correct `state_folder`, or set the variables in it with which the host runs");
        code
    })
}

/// Warns that a command goes on with a configuration that is wrong.
pub(super) fn warn(refused: &Diagnostics) {
    err("hotbay: the configuration on disk is refused:");
    refused.to_string().lines().for_each(err);
}
