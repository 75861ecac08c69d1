//! What a build hands to the next one.

use hotbay_market::{FairValue, Fixed, Holding, Instrument};
use hotbay_plugin_api::{SavedState, SchedulerError};
use serde::{Deserialize, Serialize};

use super::MeanReversion;
use crate::ReversionState;

const VERSION: u32 = 1;

/// Everything that came of events; what is configured stays as configured.
#[derive(Serialize, Deserialize)]
struct State {
    reversion: ReversionState,
    holding: Option<Holding>,
    last: Option<Last>,
    last_order: u64,
    ignored: u64,
}

/// The last fair value, its binary numbers as bits: so they stay what they are.
#[derive(Serialize, Deserialize)]
struct Last {
    time_ns: i64,
    instrument: Instrument,
    fair: u64,
    mid: u64,
    bid: Fixed,
    ask: Fixed,
}

impl Last {
    fn of((time_ns, value): (i64, FairValue)) -> Self {
        let FairValue { instrument, fair, mid, bid, ask } = value;
        Self { time_ns, instrument, fair: fair.to_bits(), mid: mid.to_bits(), bid, ask }
    }

    fn value(self) -> (i64, FairValue) {
        let Self { time_ns, instrument, fair, mid, bid, ask } = self;
        let (fair, mid) = (f64::from_bits(fair), f64::from_bits(mid));
        (time_ns, FairValue { instrument, fair, mid, bid, ask })
    }
}

impl MeanReversion {
    pub(super) fn saved(&self) -> Result<SavedState, SchedulerError> {
        let state = State {
            reversion: self.reversion.state(),
            holding: self.holding,
            last: self.last.map(Last::of),
            last_order: self.desk.last_id(),
            ignored: self.ignored,
        };
        SavedState::json(VERSION, &state)
    }

    /// # Errors
    /// If it can't be read, or is of another instrument than the configured one: nothing
    /// would close that position any more. Then nothing has changed.
    pub(super) fn go_on_from(&mut self, state: &SavedState) -> Result<(), SchedulerError> {
        let State { reversion, holding, last, last_order, ignored } = state.read_json(VERSION)?;
        if let (Some(configured), Some(held)) = (self.instrument, holding)
            && held.instrument != configured
        {
            let text = format!("it is of {}, this build trades {configured}", held.instrument);
            return Err(SchedulerError::State(text));
        }
        self.reversion.go_on_from(reversion);
        self.holding = holding.or_else(|| self.instrument.map(Holding::new));
        self.last = last.map(Last::value);
        self.desk.go_on_after(last_order);
        self.ignored = ignored;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
