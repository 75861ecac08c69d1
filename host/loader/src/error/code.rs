//! The identifiers of refusals, for programs.

use std::fmt;

use hotbay_access::AccessError;
use serde::{Deserialize, Serialize};

use super::Refusal;

/// Defines the codes, their texts, and which refusal has which code. Those of `AccessError` come
/// first, in braces.
macro_rules! codes {
    ({ $($access:ident = $its:literal,)* } $($name:ident = $text:literal,)*) => {
        /// Identifies the reason of a [`Refusal`]. The texts are stable across versions.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        #[expect(missing_docs, reason = "each code stands for the refusal with its name")]
        pub enum RefusalCode {
            $(#[serde(rename = $its)] $access,)*
            $(#[serde(rename = $text)] $name,)*
        }

        impl RefusalCode {
            /// Returns the code as text.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$access => $its,)*
                    $(Self::$name => $text,)*
                }
            }
        }

        impl Refusal {
            /// Returns the code that identifies the reason.
            pub const fn code(&self) -> RefusalCode {
                match self {
                    $(Self::Access(AccessError::$access { .. }) => RefusalCode::$access,)*
                    $(Self::$name { .. } => RefusalCode::$name,)*
                }
            }
        }
    };
}

codes! {
    {
        Missing = "missing",
        Unreadable = "unreadable",
        Link = "link",
        ForeignLink = "foreign-link",
        NotAFile = "not-a-file",
        WritableByOthers = "writable-by-others",
        ForeignOwner = "foreign-owner",
        TooLarge = "too-large",
    }
    Companion = "companion",
    BadSignature = "bad-signature",
    Untrusted = "untrusted",
    UnknownKey = "unknown-key",
    PinMismatch = "pin-mismatch",
    NotALibrary = "not-a-library",
    Damaged = "damaged",
    OtherMachine = "other-machine",
    NotAPlugin = "not-a-plugin",
    Descriptor = "descriptor",
    ApiVersion = "api-version",
    ProbeCrashed = "probe-crashed",
    ProbeKilled = "probe-killed",
    ProbeTimeout = "probe-timeout",
    Quarantined = "quarantined",
    NoProbe = "no-probe",
    Changed = "changed",
    Linking = "linking",
    Layout = "layout",
    Meddling = "meddling",
    Manifest = "manifest",
    Host = "host",
    Duplicate = "duplicate",
}

impl RefusalCode {
    /// Returns `true` if another trust mode, pin, key or signature can lift the refusal.
    pub const fn is_trust(self) -> bool {
        matches!(self, Self::BadSignature | Self::PinMismatch | Self::UnknownKey | Self::Untrusted)
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_the_same_text_in_json_and_in_messages() {
        for code in [RefusalCode::NotAFile, RefusalCode::ApiVersion, RefusalCode::Duplicate] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
            assert_eq!(code.to_string(), code.as_str());
        }
    }
}
