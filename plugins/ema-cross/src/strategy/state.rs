//! What a build hands to the next one.

use std::collections::BTreeMap;

use hotbay_market::{Fixed, Holding, Instrument};
use hotbay_plugin_api::{SavedState, SchedulerError};
use serde::{Deserialize, Serialize};

use super::EmaCross;
use crate::CrossState;

const VERSION: u32 = 1;

/// Everything that came of events; spans and quantities stay those of the configuration.
#[derive(Serialize, Deserialize)]
struct State {
    lines: BTreeMap<Instrument, LineState>,
    last_order: u64,
    last_ns: i64,
    ignored: u64,
}

#[derive(Serialize, Deserialize)]
struct LineState {
    cross: CrossState,
    holding: Holding,
    bid: Fixed,
    ask: Fixed,
}

impl EmaCross {
    pub(super) fn saved(&self) -> Result<SavedState, SchedulerError> {
        let lines = self.lines.iter().map(|(instrument, line)| {
            let (cross, holding) = (line.cross.state(), line.holding);
            (*instrument, LineState { cross, holding, bid: line.bid, ask: line.ask })
        });
        let state = State {
            lines: lines.collect(),
            last_order: self.desk.last_id(),
            last_ns: self.last_ns,
            ignored: self.ignored,
        };
        SavedState::json(VERSION, &state)
    }

    /// # Errors
    /// If it can't be read, or holds an instrument that is not configured: nothing would
    /// close that position any more. Then nothing has changed.
    pub(super) fn go_on_from(&mut self, state: &SavedState) -> Result<(), SchedulerError> {
        let State { lines, last_order, last_ns, ignored } = state.read_json(VERSION)?;
        if let Some(unknown) = lines.keys().find(|name| !self.lines.contains_key(name)) {
            let text = format!("it holds {unknown}, which is none of the configured instruments");
            return Err(SchedulerError::State(text));
        }
        for (instrument, from) in lines {
            let Some(line) = self.lines.get_mut(&instrument) else { continue };
            line.cross.go_on_from(from.cross);
            (line.holding, line.bid, line.ask) = (from.holding, from.bid, from.ask);
        }
        self.desk.go_on_after(last_order);
        (self.last_ns, self.ignored) = (last_ns, ignored);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
