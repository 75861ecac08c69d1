//! Replaces `${VAR}` and `${VAR:-default}` in a text.

use std::env::VarError;

use super::Environment;
use super::mask::{StopAt, variable_length};

/// A text whose variables are replaced.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Substituted {
    pub(super) text: String,
    /// Whether the text had a variable.
    pub(super) replaced: bool,
}

/// A variable that cannot be replaced.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// The part of the variable that is certain to be in the file as it is here.
    pub(super) written: String,
    pub(super) message: String,
    pub(super) help: String,
}

/// Replaces every variable of a text; `$${` stands for a literal `${`.
///
/// As in a shell, the default is also used if the variable is set to an empty text.
///
/// # Errors
/// All variables that cannot be replaced.
pub(super) fn substitute(
    text: &str,
    environment: Environment<'_>,
) -> Result<Substituted, Vec<Problem>> {
    let mut done = Substituted { text: String::with_capacity(text.len()), replaced: false };
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
        let Some(length) = variable_length(&rest[start..], StopAt::TextEnd) else {
            problems.push(unclosed());
            return Err(problems);
        };
        let inside = &rest[start + "${".len()..start + length - "}".len()];
        match value_of(inside, environment) {
            Ok(value) => done.text.push_str(&value),
            Err(problem) => problems.push(problem),
        }
        done.replaced = true;
        rest = &rest[start + length..];
    }
    done.text.push_str(rest);
    if problems.is_empty() { Ok(done) } else { Err(problems) }
}

fn value_of(inside: &str, environment: Environment<'_>) -> Result<String, Problem> {
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
            format!("`${{{inside}}}` doesn't name a variable"),
            "write `${VAR}` or `${VAR:-default}`, or `$${` for a literal `${`".into(),
        ));
    }
    if default.is_some_and(|default| default.contains("${")) {
        return Err(problem(
            format!("the default of the variable `{name}` contains a variable"),
            "a default is taken as it is written; leave the inner one out".into(),
        ));
    }
    match (environment(name), default) {
        (Ok(value), Some(default)) if value.is_empty() => Ok(default.into()),
        (Ok(value), _) => Ok(value),
        (Err(VarError::NotPresent), Some(default)) => Ok(default.into()),
        (Err(VarError::NotPresent), None) => Err(problem(
            format!("the environment variable `{name}` is not set"),
            format!("set it, or write `${{{name}:-default}}`"),
        )),
        (Err(VarError::NotUnicode(_)), _) => Err(problem(
            format!("the environment variable `{name}` isn't UTF-8 text"),
            "set it to UTF-8 text".into(),
        )),
    }
}

fn unclosed() -> Problem {
    Problem {
        written: "${".into(),
        message: "`${` has no closing `}`".into(),
        help: "close it, or write `$${` for a literal `${`".into(),
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
}
