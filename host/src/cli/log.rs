//! The log: which lines there are, and what they look like.

use std::fmt::{self, Write};

use hotbay_config::{closest, masked, text::Escape};
use hotbay_loader::PLUGIN_FIELDS;
use serde_json::Value;
use tracing::{field::Field, level_filters::LevelFilter};
use tracing_subscriber::{EnvFilter, field::MakeExt, fmt::format};

use super::output::{LogWriter, err, is_terminal_error};

/// The levels, with those words that are often written for them.
const LEVELS: [(&str, &str); 8] = [
    ("off", "off"),
    ("error", "error"),
    ("warn", "warn"),
    ("info", "info"),
    ("debug", "debug"),
    ("trace", "trace"),
    ("warning", "warn"),
    ("none", "off"),
];

/// Logs to standard error what passes the filter, and panics of the program whatever the filter.
pub(super) fn start(filter: EnvFilter) {
    let fields = format::debug_fn(write_field).delimited(" ");
    tracing_subscriber::fmt()
        .fmt_fields(fields)
        .with_env_filter(filter)
        .with_writer(|| LogWriter)
        .with_ansi(is_terminal_error())
        // It would print to standard error that it cannot write to standard error.
        .log_internal_errors(false)
        .init();
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("without a name").to_owned();
        let what = panic.to_string().replacen(":\n", ": ", 1);
        err(format_args!("hotbay: the thread `{thread}` {what}"));
        let backtrace = std::backtrace::Backtrace::capture();
        if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
            backtrace.to_string().lines().for_each(err);
        }
    }));
}

/// Reads a filter.
///
/// # Errors
/// If it is not one, or if it has a word that is most likely a level with a mistake.
pub(super) fn filter(text: &str) -> Result<EnvFilter, String> {
    for directive in text.split(',').map(str::trim) {
        let (target, level) = directive.rsplit_once('=').unwrap_or(("", directive));
        if let Some(level) = misspelt(level) {
            let equals = if target.is_empty() { "" } else { "=" };
            return Err(format!("did you mean `{target}{equals}{level}`?"));
        }
    }
    EnvFilter::try_new(text).map_err(|error| {
        format!("{error}; expected a level, or a list such as `warn,hotbay=debug,plugin=info`")
    })
}

/// Returns the level that a word is probably a misspelling of.
fn misspelt(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    if word.parse::<LevelFilter>().is_ok() {
        return None;
    }
    let likely = closest(&word, LEVELS.map(|(written, _)| written))?;
    LEVELS.iter().find(|(written, _)| *written == likely).map(|(_, level)| *level)
}

/// Writes a field of an event or a span.
fn write_field(out: &mut format::Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let text = format!("{value:?}");
    match field.name() {
        "message" => {}
        PLUGIN_FIELDS => return write_plugin_fields(out, &text),
        name => write_name(out, name)?,
    }
    Escape(out).write_str(&masked(&text))
}

/// Writes the name of a field and what separates it from the value, as `tracing` does.
fn write_name(out: &mut format::Writer<'_>, name: &str) -> fmt::Result {
    match out.has_ansi_escapes() {
        true => write!(out, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m"),
        false => write!(out, "{name}="),
    }
}

/// Writes the fields of a plugin's event, which arrive as one JSON object, as fields.
fn write_plugin_fields(out: &mut format::Writer<'_>, json: &str) -> fmt::Result {
    let Ok(Value::Object(fields)) = serde_json::from_str(json) else {
        write_name(out, "fields")?;
        return Escape(out).write_str(&masked(&format!("{json:?}")));
    };
    for (index, (name, value)) in fields.iter().enumerate() {
        if index > 0 {
            out.write_char(' ')?;
        }
        write_name(out, &plugin_field_name(name))?;
        // A text is masked before it is put into quotes: it may be in quotes already.
        match value.as_str().map(masked) {
            Some(text) => write!(Escape(&mut *out), "{text:?}")?,
            None => Escape(&mut *out).write_str(&masked(&value.to_string()))?,
        }
    }
    Ok(())
}

/// Returns the name of a plugin's field in the log. A field that has the name of one of the host's
/// fields, or a name with odd characters, must not look like a field of the host.
fn plugin_field_name(name: &str) -> String {
    let is_plain = |it: char| it.is_alphanumeric() || "_.-".contains(it);
    match name {
        "plugin" | "task" | "module" => format!("plugin.{name}"),
        _ if !name.is_empty() && name.chars().all(is_plain) => name.to_owned(),
        _ => format!("{name:?}").chars().filter(|it| !it.is_whitespace()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_is_answered_with_the_level() {
        for (text, advice) in [
            ("inof", "did you mean `info`?"),
            ("warning", "did you mean `warn`?"),
            ("warn,hotbay=debgu", "did you mean `hotbay=debug`?"),
            ("Eror", "did you mean `error`?"),
        ] {
            assert_eq!(filter(text).err().as_deref(), Some(advice), "{text}");
        }
        for text in
            ["info", "WARN", "3", "hotbay", "off,plugin=debug", "hotbay[task]=trace", "tokio"]
        {
            assert!(filter(text).is_ok(), "{text}");
        }
        assert!(filter("a=b=c").unwrap_err().contains("expected a level"));
    }

    #[test]
    fn a_plugin_cannot_name_a_field_like_one_of_the_host() {
        assert_eq!(plugin_field_name("order.id"), "order.id");
        assert_eq!(plugin_field_name("plugin"), "plugin.plugin");
        assert_eq!(plugin_field_name("a b=\"c\" task"), "\"ab=\\\"c\\\"task\"");
    }
}
