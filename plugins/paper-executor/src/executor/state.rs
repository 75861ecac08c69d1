//! What a build hands to the next one.

use std::path::PathBuf;

use hotbay_plugin_api::{SavedState, SchedulerError};
use serde::{Deserialize, Serialize};

use super::{PaperExecutor, Turn};
use crate::{fills::FillsFile, paper::PaperState};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct State {
    paper: PaperState,
    /// The fills file that was begun: it is gone on with, not emptied.
    fills: Option<PathBuf>,
    ignored: u64,
}

impl PaperExecutor {
    /// Also completes the fills file: from here on another build may append to it.
    pub(super) fn saved(&mut self) -> Result<SavedState, SchedulerError> {
        self.fills.as_mut().map_or(Ok(()), FillsFile::flush)?;
        let begun = self.fills.as_ref().map(|file| file.path().to_owned());
        let state = State {
            paper: self.paper.state(),
            // One that was restored and not yet initialized passes on what it was given.
            fills: begun.or_else(|| self.begun.clone()),
            ignored: self.ignored,
        };
        let saved = SavedState::json(VERSION, &state)?;
        self.turn = Turn::Repeatable;
        Ok(saved)
    }

    /// # Errors
    /// If it can't be read, or does not fit the configuration. Then nothing has changed.
    pub(super) fn go_on_from(&mut self, state: &SavedState) -> Result<(), SchedulerError> {
        let State { paper, fills, ignored } = state.read_json(VERSION)?;
        self.paper.go_on_from(paper)?;
        // A file that is open stays so: it appends behind what the other build wrote.
        (self.begun, self.ignored) = (fills, ignored);
        self.filled.clear();
        self.turn = Turn::Repeatable;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
