//! The error type for serde. It keeps the parts of an error, so that they can be put into plain
//! words.

use std::fmt;

use serde::de::{Expected, Unexpected};

use crate::diagnostic::Position;
use crate::document::Node;
use crate::wording;

/// Why a value cannot be deserialized.
#[derive(Debug)]
pub(crate) enum Error {
    /// The error is in the report already.
    Reported,
    /// The error is not in the report yet. It has a position as soon as that is known.
    Problem { at: Option<Position>, message: Message, help: String },
}

/// The text of an error.
#[derive(Debug)]
pub(crate) struct Message {
    text: String,
    /// The description of the value at fault, which ends the text unless the value is a secret.
    found: String,
    /// The name of the key, if the error is that the key is missing.
    missing: Option<&'static str>,
}

impl Error {
    /// Adds the position of a value, unless the error has one already. If the value comes from the
    /// environment, the error does not show it from here on.
    pub(crate) fn or_at(self, node: &Node) -> Self {
        match self {
            Self::Problem { at: None, mut message, help } => {
                if let Some(written) = &node.written
                    && !message.found.is_empty()
                {
                    message.found = format!("`{}`", wording::shown(written));
                }
                Self::Problem { at: Some(node.position), message, help }
            }
            Self::Problem { .. } | Self::Reported => self,
        }
    }

    /// Adds a position, unless the error has one already.
    pub(crate) fn or_at_key(self, position: Position) -> Self {
        match self {
            Self::Problem { at: None, message, help } => {
                Self::Problem { at: Some(position), message, help }
            }
            Self::Problem { .. } | Self::Reported => self,
        }
    }

    /// Returns the name of the key that is missing, if that is the error.
    pub(crate) fn missing(&self) -> Option<&'static str> {
        match self {
            Self::Problem { at: None, message, .. } => message.missing,
            Self::Problem { .. } | Self::Reported => None,
        }
    }

    /// Creates an error about a key that has no value.
    pub(crate) fn without_value(key: &str, at: Position) -> Self {
        Self::problem(format!("the key `{key}` has no value"), String::new(), "").or_at_key(at)
    }

    fn problem(text: String, found: String, help: impl Into<String>) -> Self {
        Self::Problem {
            at: None,
            message: Message { text, found, missing: None },
            help: help.into(),
        }
    }
}

impl serde::de::Error for Error {
    /// Takes a message that does not show the value, since the value may be a secret.
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::problem(message.to_string(), String::new(), "")
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
        Self::problem(format!("expected {wanted}, found "), found, help)
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let (wanted, found) = (wording::expected(expected), wording::found(&unexpected));
        Self::problem(format!("expected {wanted}, found "), found, "")
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let help = wording::instead_of(variant, expected);
        Self::problem("unknown value ".into(), format!("`{}`", wording::shown(variant)), help)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let help = wording::instead_of(field, expected);
        let message = format!("unknown key `{}`", wording::shown(field));
        Self::problem(message, String::new(), help)
    }

    fn missing_field(field: &'static str) -> Self {
        let text = format!("the key `{field}` is missing");
        let message = Message { text, found: String::new(), missing: Some(field) };
        Self::Problem { at: None, message, help: "add it here".into() }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}", self.text, self.found)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reported => out.write_str("reported before"),
            Self::Problem { message, .. } => message.fmt(out),
        }
    }
}

impl std::error::Error for Error {}
