//! What the next build goes on with.

use hotbay_market::{Fixed, Holding};
use serde::{Deserialize, Serialize};

use super::EmaCross;

/// Raise it when [`State`] changes.
pub(super) const STATE_VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    lines: Vec<LineState>,
    last_ns: i64,
    last_order: u64,
    ignored: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct LineState {
    holding: Holding,
    /// Fast, slow, bars; averages as bits, which a decimal text would round.
    cross: (Option<u64>, Option<u64>, u64),
    bid: Fixed,
    ask: Fixed,
}

impl EmaCross {
    pub(super) fn state(&self) -> State {
        let lines = self.lines.values().map(|line| LineState {
            holding: line.holding,
            cross: line.cross.progress(),
            bid: line.bid,
            ask: line.ask,
        });
        State {
            lines: lines.collect(),
            last_ns: self.last_ns,
            last_order: self.desk.last_id(),
            ignored: self.ignored,
        }
    }

    /// An instrument that is traded no more is left out, a new one begins anew.
    pub(super) fn resume(&mut self, state: State) {
        for saved in state.lines {
            if let Some(line) = self.lines.get_mut(&saved.holding.instrument) {
                line.holding = saved.holding;
                line.cross.resume(saved.cross);
                (line.bid, line.ask) = (saved.bid, saved.ask);
            }
        }
        self.last_ns = state.last_ns;
        self.desk.resume(state.last_order);
        self.ignored = state.ignored;
    }
}
