//! The handshake, which makes sure that the probe program is one before it is given a library.
//!
//! Without a handshake, a program that does not serve the probe would run its own `main` as the
//! "probe", and each plugin would be blamed, and put into quarantine, for the missing answer.
//!
//! A running program that is its own probe program must have called [`serve`](super::serve)
//! before; this is checked first, so that the `main` of a program that never calls `serve` is not
//! run a second time. What is left is a program that calls `serve` too late, after it has, for
//! example, parsed its command line, and a probe program that is no `hotbay` binary. Such a
//! program does run until it exits or [`LIMIT`] is over: with one argument, without an
//! environment, in the folder `/`, and with no output that anybody sees.

use std::{os::unix::process::ExitStatusExt, sync::atomic::AtomicBool, time::Duration};

use hotbay_plugin_api::abi::API_VERSION;
use serde::{Deserialize, Serialize};

use super::{
    Probe, ProbeError,
    answer::{Answer, End, parse},
    exchange::{Exchange, Outcome},
    nonce,
    process_group::{describe, is_of_fault},
    role,
};

/// How long the probe program may take to answer.
const LIMIT: Duration = Duration::from_secs(5);

/// What the host writes to the standard input of a child that is to answer the handshake.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HandshakeRequest {
    /// The random number that the answer must begin and end with.
    pub(super) nonce: String,
}

impl Probe {
    /// Starts the probe program without a library and waits for its answer. Blocks.
    pub(crate) fn handshake(&self) -> Result<(), ProbeError> {
        if role::is_started_as_probe() {
            return Err(ProbeError::StartedAsProbe);
        }
        if self.program.is_none() && !role::is_served() {
            return Err(ProbeError::NotServed);
        }
        let shaken = self.shake_hands();
        if let Err(ProbeError::Killed { .. }) = shaken {
            // Another process did that, as when memory is short. Nothing is wrong with the program.
            return self.shake_hands();
        }
        shaken
    }

    fn shake_hands(&self) -> Result<(), ProbeError> {
        let failed = |source| self.cannot_start(source);
        let request = HandshakeRequest { nonce: nonce().map_err(failed)? };
        let exchange = Exchange {
            program: self.program(),
            library: None,
            request: serde_json::to_vec(&request).map_err(|error| failed(error.into()))?,
            limit: LIMIT,
        };
        let reason = match exchange.run(&AtomicBool::new(false)).map_err(failed)? {
            Outcome::Exited { output, status } => match parse(&output, &request.nonce) {
                Some((Answer::Ready { api_version: API_VERSION }, End::Reached)) => return Ok(()),
                Some((Answer::Ready { api_version: found }, End::Reached)) => {
                    return Err(ProbeError::ApiVersion { program: self.program(), found });
                }
                _ if status.signal().is_some_and(|signal| !is_of_fault(signal)) => {
                    return Err(ProbeError::Killed { how: describe(status) });
                }
                _ => format!("it ended with {status}"),
            },
            Outcome::TimedOut => format!("it said nothing within {LIMIT:?}"),
            Outcome::TooMuchOutput => "it wrote something else".to_owned(),
        };
        Err(ProbeError::NoAnswer { program: self.program(), reason })
    }
}
