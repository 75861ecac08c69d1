//! Forwards the `tracing` events of a plugin to the host's subscriber.

use std::{borrow::Cow, fmt, sync::Arc};

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RBox, RStr},
};
use hotbay_plugin_api::{
    abi::{HostLog, HostLog_TO},
    limits::{self, cut},
};
use tracing::{Level, level_filters::LevelFilter};

/// The name of the field that holds the fields of a plugin's event, as one JSON object.
///
/// The fields of `tracing` are fixed where an event is written, and those of plugins are known when
/// they arrive. A formatter that knows this name can show them as fields.
pub const PLUGIN_FIELDS: &str = "plugin.fields";

/// Returns a receiver that forwards a plugin's `tracing` events to the host's subscriber, under the
/// plugin's name, and those of runs to their log.
pub(crate) fn receiver(plugin: Arc<str>, runs: Option<RunLog>) -> HostLog_TO<'static, RBox<()>> {
    HostLog_TO::from_value(PluginLog { plugin, runs }, TD_Opaque)
}

/// A line that a plugin logged during a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLine {
    /// The number of the run that logged it.
    pub run: u64,
    /// The severity of the event.
    pub level: Level,
    /// The message of the event.
    pub message: String,
    /// The fields of the event, as a JSON object.
    pub fields: String,
}

/// Takes the lines that plugins log during runs. It is called on the threads of plugins, so it must
/// neither block nor wait.
#[derive(Clone)]
pub struct RunLog(Arc<dyn Fn(RunLine) + Send + Sync>);

impl RunLog {
    /// Makes a log that gives each line to `take`.
    pub fn new(take: impl Fn(RunLine) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    /// Takes a line that was logged during a run.
    pub fn take(&self, line: RunLine) {
        (self.0)(line);
    }
}

impl fmt::Debug for RunLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunLog").finish_non_exhaustive()
    }
}

/// The least severe level that the log of a run has, whatever the host's log shows.
const RUN_LEVEL: LevelFilter = LevelFilter::INFO;

/// The bytes of the fields of an event as JSON: enough for all that the SDK sends, escaped.
const FIELDS: usize = 2 * limits::LOG_FIELDS * (limits::LOG_FIELD + limits::NAME);

/// The fields of an event as a JSON object; without them if they are too large.
fn bounded(fields: &str) -> Cow<'_, str> {
    if fields.len() <= FIELDS {
        return fields.into();
    }
    format!(r#"{{"left_out":"fields of {} bytes"}}"#, fields.len()).into()
}

/// Splits the name of who logs into the task and the number of its run: the id of a run is
/// `plugin/task/number`. A component has no number.
fn run_of(name: &str) -> (&str, Option<u64>) {
    let run = name.rsplit_once('/').filter(|(task, _)| task.contains('/'));
    match run.and_then(|(task, number)| Some((task, number.parse().ok()?))) {
        Some((task, number)) => (task, Some(number)),
        None => (name, None),
    }
}

/// The receiver for the events of one plugin.
struct PluginLog {
    plugin: Arc<str>,
    runs: Option<RunLog>,
}

impl HostLog for PluginLog {
    fn max_level(&self) -> u8 {
        let shown = LevelFilter::current();
        // A level is greater the more verbose it is.
        match if self.runs.is_some() { shown.max(RUN_LEVEL) } else { shown } {
            LevelFilter::OFF => 0,
            LevelFilter::ERROR => 1,
            LevelFilter::WARN => 2,
            LevelFilter::INFO => 3,
            LevelFilter::DEBUG => 4,
            LevelFilter::TRACE => 5,
        }
    }

    fn log(
        &self,
        level: u8,
        target: RStr<'_>,
        task: RStr<'_>,
        message: RStr<'_>,
        fields: RStr<'_>,
    ) {
        let plugin = &*self.plugin;
        let [target, task] = [target, task].map(|name| cut(&name, limits::NAME));
        let (task, run) = run_of(&task);
        let (message, fields) = (cut(&message, limits::LOG_MESSAGE), bounded(&fields));
        let level = match level {
            1 => Level::ERROR,
            2 => Level::WARN,
            3 => Level::INFO,
            4 => Level::DEBUG,
            _ => Level::TRACE,
        };
        if let (Some(runs), Some(run)) = (&self.runs, run)
            && level <= RUN_LEVEL
        {
            let (message, fields) = (message.clone(), fields.clone().into_owned());
            runs.take(RunLine { run, level, message, fields });
        }
        macro_rules! emit {
            ($level:ident) => {
                tracing::event!(
                    target: "plugin",
                    Level::$level,
                    plugin,
                    task,
                    run,
                    module = target.as_str(),
                    // Most events have no fields, and an empty object would only be noise.
                    plugin.fields = (fields != "{}").then(|| tracing::field::display(&fields)),
                    "{message}"
                )
            };
        }
        match level {
            Level::ERROR => emit!(ERROR),
            Level::WARN => emit!(WARN),
            Level::INFO => emit!(INFO),
            Level::DEBUG => emit!(DEBUG),
            Level::TRACE => emit!(TRACE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_logs_under_its_task_and_number() {
        assert_eq!(run_of("hello/greet/12"), ("hello/greet", Some(12)));
        assert_eq!(run_of("hello/greet"), ("hello/greet", None));
        assert_eq!(run_of("venue/7"), ("venue/7", None));
        assert_eq!(run_of("a/b/c"), ("a/b/c", None));
    }

    #[test]
    fn the_log_of_a_run_has_the_same_lines_whatever_the_log_of_the_host_shows() {
        let (sender, lines) = std::sync::mpsc::channel();
        let runs = RunLog::new(move |line| sender.send(line.level).unwrap());
        let log = PluginLog { plugin: "hello".into(), runs: Some(runs) };
        for level in 1..=5 {
            log.log(level, "hello".into(), "hello/greet/1".into(), "text".into(), "{}".into());
        }
        drop(log);
        assert_eq!(lines.iter().collect::<Vec<_>>(), [Level::ERROR, Level::WARN, Level::INFO]);
    }
}
