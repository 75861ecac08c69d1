//! Replaces `${VAR}` and `${VAR:-default}` in a text.

use std::env::VarError;

use super::Environment;
use super::limits::MAX_REPLACED_BYTES;
use super::mask::variable_length;
use super::secrets::Secrets;
use super::wording::shown;

/// A text whose variables are replaced.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Substituted {
    pub(super) text: String,
    /// Whether the text had a variable.
    pub(super) replaced: bool,
    /// Whether a part of the text comes from the environment.
    pub(super) is_secret: bool,
}

/// A variable that cannot be replaced.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// The part of the variable that is certain to be in the file as it is here.
    pub(super) written: String,
    pub(super) message: String,
    pub(super) help: String,
}

/// Replaces the variables of the texts of one file.
pub(super) struct Variables<'e> {
    environment: Environment<'e>,
    /// How many bytes further values may have.
    room: usize,
    /// The values that were taken from the environment.
    pub(super) secrets: Secrets,
}

impl<'e> Variables<'e> {
    /// Takes the variables from `environment`.
    pub(super) fn new(environment: Environment<'e>) -> Self {
        Self { environment, room: MAX_REPLACED_BYTES, secrets: Secrets::default() }
    }

    /// Replaces every variable of a text; `$${` stands for a literal `${`.
    ///
    /// As in a shell, the default is also used if the variable is set to an empty text.
    ///
    /// # Errors
    /// All variables that cannot be replaced, or the first one for which there is no room.
    pub(super) fn substitute(&mut self, text: &str) -> Result<Substituted, Vec<Problem>> {
        let mut done = Substituted { text: String::new(), replaced: false, is_secret: false };
        let mut problems = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            if let Some(before) = rest[..start].strip_suffix('$') {
                done.text.push_str(before);
                done.text.push_str("${");
                rest = &rest[start + "${".len()..];
                continue;
            }
            done.text.push_str(&rest[..start]);
            let Some(length) = variable_length(&rest[start..]) else {
                problems.push(unclosed());
                return Err(problems);
            };
            let variable = &rest[start..start + length];
            let before = done.text.len();
            match self.value_of(&variable["${".len()..length - "}".len()]) {
                Ok((value, is_secret)) => {
                    done.text.push_str(&value);
                    done.is_secret |= is_secret;
                }
                Err(problem) => problems.push(problem),
            }
            let Some(room) = self.room.checked_sub(done.text.len() - before) else {
                return Err(vec![no_room(variable)]);
            };
            self.room = room;
            done.replaced = true;
            rest = &rest[start + length..];
        }
        done.text.push_str(rest);
        if problems.is_empty() { Ok(done) } else { Err(problems) }
    }

    /// Returns the value of a variable, and `true` if it comes from the environment.
    fn value_of(&mut self, inside: &str) -> Result<(String, bool), Problem> {
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let problem = |message: String, help: String| Problem {
            written: format!("${{{inside}}}"),
            message,
            help,
        };
        if !is_name(name) {
            return Err(problem(
                format!("`{}` doesn't name a variable", shown(&format!("${{{inside}}}"))),
                "write `${VAR}` or `${VAR:-default}`, or `$${` for a literal `${`".into(),
            ));
        }
        let shown = shown(name);
        if default.is_some_and(|default| default.contains("${")) {
            return Err(problem(
                format!("the default of the variable `{shown}` contains a variable"),
                "a default is taken as it is written; leave the inner one out".into(),
            ));
        }
        match ((self.environment)(name), default) {
            (Ok(value), Some(default)) if value.is_empty() => Ok((default.into(), false)),
            (Ok(value), _) => {
                self.secrets.add(name, &value);
                Ok((value, true))
            }
            (Err(VarError::NotPresent), Some(default)) => Ok((default.into(), false)),
            (Err(VarError::NotPresent), None) => Err(problem(
                format!("the environment variable `{shown}` is not set"),
                format!("set it, or write `${{{shown}:-default}}`"),
            )),
            (Err(VarError::NotUnicode(_)), _) => Err(problem(
                format!("the environment variable `{shown}` isn't UTF-8 text"),
                "set it to UTF-8 text".into(),
            )),
        }
    }
}

fn unclosed() -> Problem {
    Problem {
        written: "${".into(),
        message: "`${` has no closing `}`".into(),
        help: "close it, or write `$${` for a literal `${`".into(),
    }
}

fn no_room(variable: &str) -> Problem {
    let message = format!(
        "up to `{}`, the values of variables in this file have more than {} MiB",
        shown(variable),
        MAX_REPLACED_BYTES >> 20
    );
    let help = "set the variable to a shorter text, or use it less often";
    Problem { written: variable.into(), message, help: help.into() }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
}
