//! The error type for serde. It keeps the parts of an error, so that they can be put into plain
//! words.

use std::fmt;

use serde::de::{Expected, Unexpected};

use crate::diagnostic::Position;
use crate::wording;

/// Why a value cannot be deserialized.
#[derive(Debug)]
pub(crate) enum Error {
    /// The error is in the report already.
    Reported,
    /// The error is not in the report yet. It has a position as soon as that is known.
    Problem { at: Option<Position>, message: String, help: String },
}

impl Error {
    /// Adds a position, unless the error has one already.
    pub(crate) fn or_at(self, position: Position) -> Self {
        match self {
            Self::Reported => Self::Reported,
            Self::Problem { at, message, help } => {
                Self::Problem { at: at.or(Some(position)), message, help }
            }
        }
    }

    fn problem(message: String, help: String) -> Self {
        Self::Problem { at: None, message, help }
    }
}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::problem(message.to_string(), String::new())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let wanted = wording::expected(expected);
        let is_unquoted = matches!(
            unexpected,
            Unexpected::Bool(_)
                | Unexpected::Unsigned(_)
                | Unexpected::Signed(_)
                | Unexpected::Float(_)
        );
        let help = if wanted == "text" && is_unquoted { "put it in quotes" } else { "" };
        let found = wording::found(&unexpected);
        Self::problem(format!("expected {wanted}, found {found}"), help.into())
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let (wanted, found) = (wording::expected(expected), wording::found(&unexpected));
        Self::problem(format!("expected {wanted}, found {found}"), String::new())
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let help = wording::instead_of(variant, expected);
        Self::problem(format!("unknown value `{variant}`"), help)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let help = wording::instead_of(field, expected);
        Self::problem(format!("unknown key `{field}`"), help)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::problem(format!("the key `{field}` is missing"), "add it here".into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reported => out.write_str("reported before"),
            Self::Problem { message, .. } => out.write_str(message),
        }
    }
}

impl std::error::Error for Error {}
