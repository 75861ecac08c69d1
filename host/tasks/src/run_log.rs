//! The lines that plugins log during runs, on their way to the loop that keeps them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use hotbay_loader::{RunLine, RunLog};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::mpsc::{self, Receiver};

use crate::{LogLineView, runner::now};

/// The most lines that wait for the loop. Further ones are lost, and counted.
const QUEUE: usize = 8_192;

/// The lines that plugins log during runs, as the loop receives them.
#[derive(Debug)]
pub struct RunLines {
    lines: Receiver<(Timestamp, RunLine)>,
    lost: Arc<AtomicU64>,
}

/// Makes a log for the loader, and what the loop receives from it.
pub fn run_log() -> (RunLog, RunLines) {
    let (sender, lines) = mpsc::channel(QUEUE);
    let lost = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&lost);
    let log = RunLog::new(move |line| {
        // A plugin is not to wait for whoever keeps its log.
        if sender.try_send((now(), line)).is_err() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    (log, RunLines { lines, lost })
}

impl RunLines {
    /// Waits for the next line. Returns `None` when no plugin can log any more.
    pub(crate) async fn next(&mut self) -> Option<(Timestamp, RunLine)> {
        self.lines.recv().await
    }

    /// Returns the next line if there is one.
    pub(crate) fn take(&mut self) -> Option<(Timestamp, RunLine)> {
        self.lines.try_recv().ok()
    }

    /// Returns the number of lines that were lost since the last call.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }
}

/// Returns a line as it is shown, as one text with its fields.
pub(crate) fn view(number: u64, at: Timestamp, line: &RunLine) -> LogLineView {
    let mut message = line.message.clone();
    let fields = serde_json::from_str::<Value>(&line.fields).unwrap_or_default();
    for (name, value) in fields.as_object().into_iter().flatten() {
        message.push_str(&format!(" {name}={value}"));
    }
    LogLineView { number, at, level: line.level.as_str().to_lowercase(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_shown_with_its_fields() {
        let line = RunLine {
            run: 1,
            level: tracing::Level::WARN,
            message: "late".to_owned(),
            fields: r#"{"by":"5s","times":2}"#.to_owned(),
        };
        let shown = view(7, Timestamp::UNIX_EPOCH, &line);
        assert_eq!((shown.number, shown.level.as_str()), (7, "warn"));
        assert_eq!(shown.message, r#"late by="5s" times=2"#);
    }

    #[test]
    fn a_plugin_never_waits_and_what_is_lost_is_counted() {
        let (log, mut lines) = run_log();
        let line = RunLine {
            run: 1,
            level: tracing::Level::INFO,
            message: String::new(),
            fields: "{}".to_owned(),
        };
        for _ in 0..QUEUE + 5 {
            log.take(line.clone());
        }
        assert_eq!((lines.lost(), lines.lost()), (5, 0));
        assert_eq!(std::iter::from_fn(|| lines.take()).count(), QUEUE);
    }
}
