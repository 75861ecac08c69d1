//! Who vouches for a file: a pin, a signature, or nobody.
//!
//! * A **pin** is the SHA-256 of a file that somebody looked at and found good.
//! * A **signature** lies beside the file, as `minisign -S` makes it: `libhello.so.minisig`
//!   for `libhello.so`. It counts if it was made with one of the keys that are listed.
//!
//! What that means for the file is the mode's to say, but for one case: a file that carries
//! a broken signature is not what its author made, and is refused in every mode. A
//! signature with a key that is not listed can't be judged, and counts as none.
//!
//! A pin and a signature tell whose a file is, not that it is the latest: an older build
//! that was signed once stays good.

mod pins;
mod signature;

use std::{ffi::OsStr, fmt};

use serde::{Deserialize, Serialize};

use hotbay_config::TrustMode;

use super::Refusal;

pub use pins::{Added, Pin, Pins, PinsError};
pub use signature::{Key, KeyError};

pub(crate) use signature::{Examiner, Signature, Signed};

/// The codes of refusals that another trust, another pin or another signature may lift.
pub const TRUST_REFUSALS: [&str; 4] = ["bad-signature", "pin-mismatch", "unknown-key", "untrusted"];

/// Whom a host trusts, and what it does about all others. Without any, everybody.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trust {
    /// What is done about the others.
    pub mode: TrustMode,
    /// The builds that are known to be good.
    pub pins: Pins,
    /// The keys whose signatures count.
    pub keys: Vec<Key>,
}

/// Who vouches for a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum TrustedBy {
    /// Its build is pinned.
    Pin,
    /// It was signed with a key that is listed.
    Signature {
        /// The key's id, as minisign shows it.
        key: String,
        /// What was signed along with it.
        comment: String,
    },
    /// Nobody.
    Nobody,
}

impl fmt::Display for TrustedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pin => f.write_str("a pin"),
            Self::Signature { key, comment } => write!(f, "a signature of key {key} ({comment})"),
            Self::Nobody => f.write_str("nobody"),
        }
    }
}

/// What was found out about a file that may be loaded.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) trusted_by: TrustedBy,
    /// Why `enforce` would refuse it, if anybody wants to know.
    pub(crate) doubt: Option<Refusal>,
}

impl Trust {
    /// Whether a file of this name and content may be loaded.
    pub(crate) fn judge(
        &self,
        file: &OsStr,
        hash: &str,
        signed: Signed,
    ) -> Result<Verdict, Refusal> {
        if let Signed::Well { key, comment } = signed {
            let trusted_by = TrustedBy::Signature { key, comment };
            return Ok(Verdict { trusted_by, doubt: None });
        }
        if self.pins.hold(hash) {
            return Ok(Verdict { trusted_by: TrustedBy::Pin, doubt: None });
        }
        let pinned = file.to_str().and_then(|file| self.pins.of(file));
        let refusal = match (pinned, signed) {
            (Some(pinned), _) => {
                Refusal::PinMismatch { pinned: pinned.to_owned(), found: hash.to_owned() }
            }
            (None, Signed::ByAnother { key }) => Refusal::UnknownKey { key },
            (None, Signed::Not | Signed::Well { .. }) => Refusal::Untrusted,
        };
        let doubt = match self.mode {
            TrustMode::Off => None,
            TrustMode::Warn => Some(refusal),
            TrustMode::Enforce => return Err(refusal),
        };
        Ok(Verdict { trusted_by: TrustedBy::Nobody, doubt })
    }
}

#[cfg(test)]
mod tests;
