//! The progress bar on a terminal.

use std::{
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;

use hotbay_runtime::Board;

use super::output::{is_terminal_error, progress};

/// The number of characters of the bar.
const LENGTH: u64 = 40;

/// Draws the progress of all sources as one bar on standard error, ten times a
/// second, until it is dropped. Draws nothing if standard error is no terminal.
#[derive(Debug)]
pub(super) struct ProgressDisplay {
    drawing: JoinHandle<()>,
}

impl ProgressDisplay {
    /// Starts to draw. Returns `None` if standard error is not a terminal.
    pub(super) fn start(board: Arc<Board>) -> Option<Self> {
        if !is_terminal_error() {
            return None;
        }
        let began = Instant::now();
        let drawing = tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_millis(100));
            loop {
                tick.tick().await;
                let (mut done, mut total) = (0_u64, 0_u64);
                for progress in board.progresses().into_values() {
                    done = done.saturating_add(progress.done.min(progress.total));
                    total = total.saturating_add(progress.total);
                }
                // A live source has no total.
                if total > 0 {
                    progress(Some(bar(done, total, began.elapsed())));
                }
            }
        });
        Some(Self { drawing })
    }
}

impl Drop for ProgressDisplay {
    fn drop(&mut self) {
        self.drawing.abort();
        progress(None);
    }
}

/// Returns the bar of a run that has done so much so far.
fn bar(done: u64, total: u64, elapsed: Duration) -> String {
    let part = done as f64 / total as f64;
    let mut text = String::new();
    for place in 0..LENGTH {
        text.push(if (place as f64) < part * LENGTH as f64 { '█' } else { '░' });
    }
    let seconds = elapsed.as_secs_f64();
    // Writing to a string can't fail.
    let _infallible = write!(text, " {:>3.0} %  {}", part * 100.0, clock(seconds));
    if done > 0 {
        let _infallible = write!(text, " ({} left)", clock(seconds / part - seconds));
    }
    text
}

fn clock(seconds: f64) -> String {
    humantime::format_duration(Duration::from_secs_f64(seconds.clamp(0.0, 1e9).round())).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_shows_the_part_that_is_done_and_the_time_that_is_left() {
        let text = bar(1, 4, Duration::from_secs(20));
        assert_eq!(text, format!("{}{}  25 %  20s (1m left)", "█".repeat(10), "░".repeat(30)));
        assert!(bar(0, 4, Duration::ZERO).ends_with("   0 %  0s"));
    }
}
