//! Decides whether a file is trusted, because of a pin or a signature.
//!
//! * A **pin** is the SHA-256 of a file that somebody inspected and found good.
//! * A **signature** is a file beside the library, as `minisign -S` writes it:
//!   `libhello.so.minisig` for `libhello.so`. It counts if it was made with one of the trusted
//!   keys.
//!
//! The trust mode decides what happens to a file with neither, with one exception: a file with a
//! broken signature is not what its author made, and is refused in every mode. A signature with an
//! unknown key cannot be verified and is treated as missing.
//!
//! A pin or a signature proves where a file comes from, not that it is the latest build: an older
//! build that was signed stays trusted.

mod pin_file;
mod pins;
mod signature;

use std::{ffi::OsStr, fmt};

use serde::{Deserialize, Serialize};

use hotbay_config::TrustMode;

use crate::Refusal;

pub use hotbay_config::Pin;
pub use pin_file::{PinChange, PinsError};
pub use pins::Pins;
pub use signature::{Key, KeyError};

pub(crate) use signature::{Signature, SignatureStatus, SignatureVerifier};

/// The trust policy of a host. The default accepts every file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trust {
    /// What happens to a file with neither a pin nor a valid signature.
    pub mode: TrustMode,
    /// The hashes of the builds that are trusted.
    pub pins: Pins,
    /// The keys whose signatures are trusted.
    pub keys: Vec<Key>,
}

/// Why a file is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum TrustedBy {
    /// The hash of the file is pinned.
    Pin,
    /// The file has a valid signature with a trusted key.
    Signature {
        /// The key's id, as minisign shows it.
        key: String,
        /// The trusted comment, which is signed together with the file.
        comment: String,
    },
    /// Nobody vouches for the file.
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

/// The decision that a file may be loaded.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) trusted_by: TrustedBy,
    /// Why the mode `enforce` would refuse the file. Present only in the mode `warn`.
    pub(crate) doubt: Option<Refusal>,
}

impl Trust {
    /// Decides whether a file with this name, hash and signature may be loaded.
    pub(crate) fn judge(
        &self,
        file: &OsStr,
        hash: &str,
        signature: SignatureStatus,
    ) -> Result<Verdict, Refusal> {
        if let SignatureStatus::Valid { key, comment } = signature {
            let trusted_by = TrustedBy::Signature { key, comment };
            return Ok(Verdict { trusted_by, doubt: None });
        }
        if self.pins.contains(hash) {
            return Ok(Verdict { trusted_by: TrustedBy::Pin, doubt: None });
        }
        let pinned = file.to_str().and_then(|file| self.pins.hash_of(file));
        let refusal = match (pinned, signature) {
            (Some(pinned), _) => {
                Refusal::PinMismatch { pinned: pinned.to_owned(), found: hash.to_owned() }
            }
            (None, SignatureStatus::UnknownKey { key }) => Refusal::UnknownKey { key },
            (None, SignatureStatus::Missing | SignatureStatus::Valid { .. }) => Refusal::Untrusted,
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
