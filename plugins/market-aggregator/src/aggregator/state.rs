//! The saved state that the next build of the aggregator continues from.

use hotbay_plugin_api::{SavedState, SchedulerError};
use serde::{Deserialize, Serialize};

use super::{Counts, MarketAggregator};
use crate::{
    merge::{Merge, Patience},
    outputs::{Market, Saved as SavedOutputs},
};

/// The version of [`State`]. Raise it whenever a field changes its meaning.
const VERSION: u32 = 2;

/// `M` and `P` are borrowed when the state is written and owned when it is read.
#[derive(Serialize, Deserialize)]
struct State<M, P> {
    sources: Vec<Source>,
    /// The progress of the sources, and their events that wait in the merge.
    merge: M,
    patience: Option<P>,
    next: usize,
    outputs: SavedOutputs,
}

#[derive(Serialize, Deserialize)]
struct Source {
    channel: String,
    counts: Counts,
}

impl MarketAggregator {
    pub(super) fn save(&self) -> Result<SavedState, SchedulerError> {
        let source = |source: &super::Source| Source {
            channel: source.channel.as_str().to_owned(),
            counts: source.counts,
        };
        let state = State {
            sources: self.sources.iter().map(source).collect(),
            merge: &self.merge,
            patience: self.pace.save(),
            next: self.inputs.turn(),
            outputs: self.outputs.save(),
        };
        SavedState::json(VERSION, &state)
    }

    pub(super) fn resume(&mut self, state: &SavedState) -> Result<(), SchedulerError> {
        let state: State<Merge<Market>, Patience> = state.read_json(VERSION)?;
        // The order is compared too: it decides which of two events with equal times goes first.
        let ours = self.sources.iter().map(|source| source.channel.as_str());
        let same = ours.eq(state.sources.iter().map(|source| source.channel.as_str()));
        if !same || self.merge.resume(state.merge).is_err() {
            return Err(SchedulerError::State("it is of other sources than these".to_owned()));
        }
        for (source, saved) in self.sources.iter_mut().zip(state.sources) {
            source.counts = saved.counts;
        }
        self.pace.resume(state.patience);
        self.inputs.set_turn(state.next);
        self.outputs.resume(state.outputs);
        Ok(())
    }
}
