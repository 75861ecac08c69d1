//! The progress bar on a terminal.

use std::{io::IsTerminal, sync::Arc, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;

use hotbay_runtime::Board;

/// Draws the progress of all sources as one bar on standard error, ten times a
/// second, until it is dropped. Draws nothing if standard error is no terminal.
#[derive(Debug)]
pub(super) struct ProgressDisplay {
    drawing: JoinHandle<()>,
    bar: ProgressBar,
}

impl ProgressDisplay {
    /// Starts to draw. Returns `None` if standard error is not a terminal.
    pub(super) fn start(board: Arc<Board>) -> Option<Self> {
        if !std::io::stderr().is_terminal() {
            return None;
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {elapsed} ({eta} left)");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        let drawn = bar.clone();
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
                    drawn.set_length(total);
                    drawn.set_position(done);
                }
            }
        });
        Some(Self { drawing, bar })
    }
}

impl Drop for ProgressDisplay {
    fn drop(&mut self) {
        self.drawing.abort();
        self.bar.finish_and_clear();
    }
}
