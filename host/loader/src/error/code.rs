//! The identifiers of refusals, for programs.

use std::{fmt, str::FromStr};

use serde::{
    Deserialize, Serialize,
    de::{IntoDeserializer, value::Error},
};

use super::Refusal;

/// Identifies the reason of a [`Refusal`]. The texts are stable across versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
#[expect(missing_docs, reason = "each code stands for the variant of `Refusal` with its name")]
pub enum RefusalCode {
    Missing,
    Unreadable,
    Link,
    NotAFile,
    WritableByOthers,
    ForeignOwner,
    TooLarge,
    BadSignature,
    Untrusted,
    UnknownKey,
    PinMismatch,
    NotALibrary,
    Damaged,
    OtherMachine,
    NotAPlugin,
    Descriptor,
    ApiVersion,
    ProbeCrashed,
    ProbeTimeout,
    Quarantined,
    NoProbe,
    Changed,
    Linking,
    Layout,
    Meddling,
    Manifest,
    Host,
    Duplicate,
}

impl RefusalCode {
    /// Returns the code as text: the name of the variant in kebab case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
            Self::Link => "link",
            Self::NotAFile => "not-a-file",
            Self::WritableByOthers => "writable-by-others",
            Self::ForeignOwner => "foreign-owner",
            Self::TooLarge => "too-large",
            Self::BadSignature => "bad-signature",
            Self::Untrusted => "untrusted",
            Self::UnknownKey => "unknown-key",
            Self::PinMismatch => "pin-mismatch",
            Self::NotALibrary => "not-a-library",
            Self::Damaged => "damaged",
            Self::OtherMachine => "other-machine",
            Self::NotAPlugin => "not-a-plugin",
            Self::Descriptor => "descriptor",
            Self::ApiVersion => "api-version",
            Self::ProbeCrashed => "probe-crashed",
            Self::ProbeTimeout => "probe-timeout",
            Self::Quarantined => "quarantined",
            Self::NoProbe => "no-probe",
            Self::Changed => "changed",
            Self::Linking => "linking",
            Self::Layout => "layout",
            Self::Meddling => "meddling",
            Self::Manifest => "manifest",
            Self::Host => "host",
            Self::Duplicate => "duplicate",
        }
    }

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

impl FromStr for RefusalCode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::deserialize(text.into_deserializer())
    }
}

impl Refusal {
    /// Returns the code that identifies the reason.
    pub const fn code(&self) -> RefusalCode {
        match self {
            Self::Missing => RefusalCode::Missing,
            Self::Unreadable(_) => RefusalCode::Unreadable,
            Self::Link => RefusalCode::Link,
            Self::NotAFile(_) => RefusalCode::NotAFile,
            Self::WritableByOthers { .. } => RefusalCode::WritableByOthers,
            Self::ForeignOwner { .. } => RefusalCode::ForeignOwner,
            Self::TooLarge { .. } => RefusalCode::TooLarge,
            Self::BadSignature(_) => RefusalCode::BadSignature,
            Self::Untrusted => RefusalCode::Untrusted,
            Self::UnknownKey { .. } => RefusalCode::UnknownKey,
            Self::PinMismatch { .. } => RefusalCode::PinMismatch,
            Self::NotALibrary(_) => RefusalCode::NotALibrary,
            Self::Damaged(_) => RefusalCode::Damaged,
            Self::OtherMachine(_) => RefusalCode::OtherMachine,
            Self::NotAPlugin => RefusalCode::NotAPlugin,
            Self::Descriptor(_) => RefusalCode::Descriptor,
            Self::ApiVersion { .. } => RefusalCode::ApiVersion,
            Self::ProbeCrashed(_) => RefusalCode::ProbeCrashed,
            Self::ProbeTimeout { .. } => RefusalCode::ProbeTimeout,
            Self::Quarantined { .. } => RefusalCode::Quarantined,
            Self::NoProbe(_) => RefusalCode::NoProbe,
            Self::Changed => RefusalCode::Changed,
            Self::Linking(_) => RefusalCode::Linking,
            Self::Layout(_) => RefusalCode::Layout,
            Self::Meddling(_) => RefusalCode::Meddling,
            Self::Manifest(_) => RefusalCode::Manifest,
            Self::Host { .. } => RefusalCode::Host,
            Self::Duplicate { .. } => RefusalCode::Duplicate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_the_same_text_in_json_in_messages_and_when_it_is_parsed() {
        for code in [RefusalCode::NotAFile, RefusalCode::ApiVersion, RefusalCode::Duplicate] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
            assert_eq!(code.to_string().parse(), Ok(code));
        }
        assert!("nonsense".parse::<RefusalCode>().is_err());
    }
}
