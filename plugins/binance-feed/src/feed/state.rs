//! What the feed hands to the next build of itself.

use hotbay_plugin_api::{SavedState, SchedulerError};
use serde::{Deserialize, Serialize};

use super::{Feed, Source};
use crate::{
    capture::{Capture, Place},
    config::Origin,
    instruments::Seen,
    intake::Saved,
    live::Attempts,
    tally::Tally,
};

/// Raised whenever what follows here changes its meaning.
const VERSION: u32 = 1;

/// `I`: the intake, lent where it is written and owned where it is read.
#[derive(Serialize, Deserialize)]
struct State<I> {
    intake: I,
    progress: Progress,
}

/// Where the source stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Progress {
    Capture(Place),
    Live(Attempts),
}

impl Feed {
    pub(super) fn save(&self) -> Result<SavedState, SchedulerError> {
        let progress = match (&self.source, &self.resumed) {
            (Source::Capture(capture), _) => Progress::Capture(capture.place()),
            (Source::Live(live), _) => Progress::Live(live.attempts()),
            (Source::Unopened(_), Some(progress)) => progress.clone(),
            (Source::Unopened(Origin::Capture { .. }), None) => Progress::Capture(Place::default()),
            (Source::Unopened(Origin::Live { .. }), None) => Progress::Live(Attempts::default()),
        };
        SavedState::json(VERSION, &State { intake: self.intake.save(), progress })
    }

    pub(super) fn resume(&mut self, state: &SavedState) -> Result<(), SchedulerError> {
        let State { intake, progress }: State<Saved<Tally, Seen>> = state.read_json(VERSION)?;
        match (&mut self.source, &progress) {
            (Source::Unopened(Origin::Capture { .. }), Progress::Capture(_))
            | (Source::Unopened(Origin::Live { .. }), Progress::Live(_)) => {
                self.resumed = Some(progress);
            }
            // A build that is rolled back to. It stands behind its successor.
            (Source::Capture(capture), Progress::Capture(place)) => {
                if capture.place().lines > place.lines {
                    **capture = Capture::open(capture.path(), self.config.speed)
                        .map_err(SchedulerError::initialization)?;
                }
                capture.resume(place);
            }
            (Source::Live(live), Progress::Live(attempts)) => live.resume(attempts),
            _ => {
                let message = "it is of a capture and this is a url, or the other way round";
                return Err(SchedulerError::State(message.to_owned()));
            }
        }
        self.intake.resume(intake);
        Ok(())
    }
}
